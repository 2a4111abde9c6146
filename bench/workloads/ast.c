/*
 * A parser, as in a compiler that is kept running for an editor: syntax trees of many C headers and a table of their names
 * are live; a random file is parsed again, over and over, and its new tree takes the place of the old one. The
 * latency is that of parsing one file and reading the new tree.
 *
 * The grammar knows no C types and no declarations, so that it accepts all text:
 *
 *   list       expressions and directives, until a closing bracket or the end; separators between them mean nothing
 *   expression a sequence, or two expressions and an operator between them, by precedence, from left to right
 *   sequence   one unit, or several without anything between; none at all is an empty one
 *   unit       a name, number or string; a list in brackets; an operator before a unit
 */
#include "bench/workloads/common/c_tokens.h"
#include "bench/workloads/common/corpus.h"
#include "bench/workloads/workload.h"

#include <stdlib.h>
#include <string.h>

enum { SYMBOL_CHAINS = 1 << 14, ITEMS_LEAST = 4, NODE_REFERENCES = 4, SYMBOL_REFERENCES = 2 };

const char workload_name[] = "ast";
const char workload_about[] = "Parses C headers over and over; their syntax trees stay until the next time.";
const unsigned workload_threads_max = 1;
const uint32_t workload_corpus_bytes[SCALES] = {
    [SCALE_TINY] = 100000, [SCALE_QUICK] = 2000000, [SCALE_FULL] = 12000000};

/* How often each file is parsed, on average, after the first time. */
static const unsigned rounds[SCALES] = {[SCALE_TINY] = 40, [SCALE_QUICK] = 10, [SCALE_FULL] = 20};

enum node_kind { NODE_NAME, NODE_LITERAL, NODE_EMPTY, NODE_SEQUENCE, NODE_GROUP, NODE_UNARY, NODE_BINARY };

struct symbol {
    struct symbol *chain;
    unsigned char *text;
    uint32_t hash;
    uint32_t length;
    uint64_t uses;
};

struct node {
    struct node *left;   /* of unary and binary ones */
    struct node *right;  /* of binary ones */
    struct node **items; /* of sequences and groups */
    void *value;         /* a name's symbol, a literal's text */
    uint32_t kind;
    uint32_t detail; /* an operator's code, the number of items, a text's length */
};

/* The only roots but those of the parser's own frames. */
struct roots {
    struct symbol **symbols; /* SYMBOL_CHAINS */
    struct node **trees;     /* one for each file */
};

struct parser {
    struct memory *memory;
    struct roots *roots;
    memory_type node_type;
    memory_type symbol_type;
    memory_type items_type;
    memory_type text_type;
    struct c_tokens tokens;
    struct c_token token; /* the next one */
    struct live tree;     /* of the one that is parsed */
    struct live symbols;
};

/* ---- nodes ------------------------------------------------------------------------------------------ */

static struct node *new_node(struct parser *parser, enum node_kind kind, uint32_t detail)
{
    struct node *node = memory_record(parser->memory, parser->node_type, sizeof *node);
    memory_null(&node->left);
    memory_null(&node->right);
    memory_null(&node->items);
    memory_null(&node->value);
    node->kind = kind;
    node->detail = detail;
    live_add(&parser->tree, 1, sizeof *node);
    return node;
}

static unsigned char *new_text(struct parser *parser, const struct c_token *token)
{
    unsigned char *text = memory_bytes(parser->memory, parser->text_type, token->length);
    memcpy(text, token->text, token->length);
    return text;
}

static struct symbol *find_symbol(const struct parser *parser, uint32_t hash)
{
    const struct c_token *token = &parser->token;
    struct symbol *symbol = parser->roots->symbols[hash % SYMBOL_CHAINS];
    while (symbol != NULL && (symbol->hash != hash || symbol->length != token->length ||
                              memcmp(symbol->text, token->text, token->length) != 0))
        symbol = symbol->chain;
    return symbol;
}

static struct symbol *new_symbol(struct parser *parser, uint32_t hash)
{
    struct {
        unsigned char *text;
    } local = {new_text(parser, &parser->token)};
    memory_frame frame;
    memory_push(parser->memory, &frame, &local, 1);
    struct symbol *symbol = memory_record(parser->memory, parser->symbol_type, sizeof *symbol);
    struct symbol **head = &parser->roots->symbols[hash % SYMBOL_CHAINS];
    memory_initialize(&symbol->chain, *head);
    memory_initialize(&symbol->text, local.text);
    symbol->hash = hash;
    symbol->length = parser->token.length;
    symbol->uses = 0;
    memory_store(parser->memory, parser->roots->symbols, head, symbol);
    memory_pop(parser->memory, &frame);
    live_add(&parser->symbols, 1, sizeof *symbol);
    live_add(&parser->symbols, 1, parser->token.length);
    return symbol;
}

static struct node *new_name(struct parser *parser)
{
    uint32_t hash = text_hash(parser->token.text, parser->token.length);
    struct symbol *symbol = find_symbol(parser, hash);
    struct {
        struct symbol *symbol;
    } local = {symbol != NULL ? symbol : new_symbol(parser, hash)};
    memory_frame frame;
    memory_push(parser->memory, &frame, &local, 1);
    local.symbol->uses++;
    struct node *node = new_node(parser, NODE_NAME, parser->token.length);
    memory_initialize(&node->value, local.symbol);
    memory_pop(parser->memory, &frame);
    return node;
}

static struct node *new_literal(struct parser *parser)
{
    struct {
        unsigned char *text;
    } local = {new_text(parser, &parser->token)};
    memory_frame frame;
    memory_push(parser->memory, &frame, &local, 1);
    struct node *node = new_node(parser, NODE_LITERAL, parser->token.length);
    memory_initialize(&node->value, local.text);
    memory_pop(parser->memory, &frame);
    live_add(&parser->tree, 1, parser->token.length);
    return node;
}

/* ---- lists of items --------------------------------------------------------------------------------- */

/* In a frame. */
struct items {
    struct node **at;
    struct node *next; /* to be appended */
};

enum { ITEMS_REFERENCES = 2 };

/* The array grows by doubling. */
static void append(struct parser *parser, struct items *items, uint32_t *count, uint32_t *capacity)
{
    if (*count == *capacity) {
        uint32_t larger = *capacity == 0 ? ITEMS_LEAST : 2 * *capacity;
        struct node **at = memory_references(parser->memory, parser->items_type, larger);
        live_add(&parser->tree, 1, larger * sizeof *at);
        for (uint32_t i = 0; i < *count; i++)
            memory_store(parser->memory, at, &at[i], items->at[i]);
        if (items->at != NULL) {
            live_remove(&parser->tree, 1, *capacity * sizeof *at);
            memory_free(parser->memory, items->at);
        }
        items->at = at;
        *capacity = larger;
    }
    memory_store(parser->memory, items->at, &items->at[*count], items->next);
    ++*count;
}

static struct node *new_list(struct parser *parser, enum node_kind kind, struct items *items, uint32_t count)
{
    struct node *node = new_node(parser, kind, count);
    memory_initialize(&node->items, items->at);
    return node;
}

/* ---- the grammar ------------------------------------------------------------------------------------ */

static struct node *parse_expression(struct parser *parser, unsigned least);

static void advance(struct parser *parser)
{
    c_tokens_next(&parser->tokens, &parser->token);
}

/* 1 and more: the higher, the closer. */
static unsigned precedence(uint32_t code)
{
    enum { NONE = 12 };
    static const struct {
        char text[3];
        unsigned precedence;
    } table[] = {{".", 13}, {"->", 13}, {"*", 11}, {"/", 11}, {"%", 11}, {"+", 10}, {"-", 10}, {"<<", 9},
                 {">>", 9}, {"<", 8},   {">", 8},  {"<=", 8}, {">=", 8}, {"==", 7}, {"!=", 7}, {"&", 6},
                 {"^", 5},  {"|", 4},   {"&&", 3}, {"||", 3}, {"?", 2},  {":", 2},  {"=", 1},  {"+=", 1},
                 {"-=", 1}, {"*=", 1},  {"/=", 1}, {"%=", 1}, {"&=", 1}, {"|=", 1}, {"^=", 1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (code == (unsigned char)table[i].text[0] + (unsigned char)table[i].text[1] * 256u)
            return table[i].precedence;
    }
    return NONE;
}

static void parse_list_items(struct parser *parser, struct items *items, uint32_t *count)
{
    uint32_t capacity = 0;
    while (parser->token.kind != TOKEN_END && parser->token.kind != TOKEN_CLOSE) {
        if (parser->token.kind == TOKEN_SEPARATOR) {
            advance(parser);
            continue;
        }
        if (parser->token.kind == TOKEN_DIRECTIVE) {
            items->next = new_literal(parser);
            advance(parser);
        } else {
            items->next = parse_expression(parser, 1);
        }
        append(parser, items, count, &capacity);
    }
}

/* The bracket that closes it may be of another kind. */
static struct node *parse_group(struct parser *parser)
{
    struct items items = {NULL, NULL};
    memory_frame frame;
    memory_push(parser->memory, &frame, &items, ITEMS_REFERENCES);
    uint32_t count = 0;
    advance(parser);
    parse_list_items(parser, &items, &count);
    if (parser->token.kind == TOKEN_CLOSE)
        advance(parser);
    struct node *node = new_list(parser, NODE_GROUP, &items, count);
    memory_pop(parser->memory, &frame);
    return node;
}

static bool begins_unit(const struct c_token *token)
{
    return token->kind == TOKEN_NAME || token->kind == TOKEN_NUMBER || token->kind == TOKEN_STRING ||
           token->kind == TOKEN_OPEN;
}

/* An operator here is one before a unit. */
static struct node *parse_unit(struct parser *parser)
{
    struct node *node;
    if (parser->token.kind == TOKEN_OPEN)
        return parse_group(parser);
    if (parser->token.kind == TOKEN_NAME) {
        node = new_name(parser);
        advance(parser);
        return node;
    }
    if (parser->token.kind == TOKEN_NUMBER || parser->token.kind == TOKEN_STRING) {
        node = new_literal(parser);
        advance(parser);
        return node;
    }
    if (parser->token.kind != TOKEN_OPERATOR)
        return new_node(parser, NODE_EMPTY, 0);
    uint32_t code = parser->token.code;
    advance(parser);
    struct {
        struct node *operand;
    } local = {parse_unit(parser)};
    memory_frame frame;
    memory_push(parser->memory, &frame, &local, 1);
    node = new_node(parser, NODE_UNARY, code);
    memory_initialize(&node->left, local.operand);
    memory_pop(parser->memory, &frame);
    return node;
}

static struct node *parse_sequence(struct parser *parser)
{
    struct items items = {NULL, NULL};
    memory_frame frame;
    memory_push(parser->memory, &frame, &items, ITEMS_REFERENCES);
    uint32_t count = 0;
    uint32_t capacity = 0;
    items.next = parse_unit(parser);
    while (begins_unit(&parser->token)) {
        append(parser, &items, &count, &capacity);
        items.next = parse_unit(parser);
    }
    struct node *node = items.next;
    if (count != 0) {
        append(parser, &items, &count, &capacity);
        node = new_list(parser, NODE_SEQUENCE, &items, count);
    }
    memory_pop(parser->memory, &frame);
    return node;
}

static struct node *parse_expression(struct parser *parser, unsigned least)
{
    struct {
        struct node *left;
        struct node *right;
    } local = {NULL, NULL};
    memory_frame frame;
    memory_push(parser->memory, &frame, &local, 2);
    local.left = parse_sequence(parser);
    while (parser->token.kind == TOKEN_OPERATOR && precedence(parser->token.code) >= least) {
        uint32_t code = parser->token.code;
        advance(parser);
        local.right = parse_expression(parser, precedence(code) + 1);
        struct node *node = new_node(parser, NODE_BINARY, code);
        memory_initialize(&node->left, local.left);
        memory_initialize(&node->right, local.right);
        local.left = node;
    }
    memory_pop(parser->memory, &frame);
    return local.left;
}

/* Closing brackets that close nothing are left out. */
static struct node *parse_file(struct parser *parser, const struct corpus_file *file)
{
    struct items items = {NULL, NULL};
    memory_frame frame;
    memory_push(parser->memory, &frame, &items, ITEMS_REFERENCES);
    uint32_t count = 0;
    uint32_t capacity = 0;
    parser->tree = (struct live){0, 0};
    c_tokens_begin(&parser->tokens, file->text);
    advance(parser);
    while (parser->token.kind != TOKEN_END) {
        if (parser->token.kind == TOKEN_CLOSE) {
            advance(parser);
            continue;
        }
        struct items part = {NULL, NULL};
        memory_frame part_frame;
        memory_push(parser->memory, &part_frame, &part, ITEMS_REFERENCES);
        uint32_t part_count = 0;
        parse_list_items(parser, &part, &part_count);
        items.next = new_list(parser, NODE_GROUP, &part, part_count);
        memory_pop(parser->memory, &part_frame);
        append(parser, &items, &count, &capacity);
    }
    struct node *node = new_list(parser, NODE_GROUP, &items, count);
    memory_pop(parser->memory, &frame);
    return node;
}

/* ---- trees ------------------------------------------------------------------------------------------ */

static bool has_items(const struct node *node)
{
    return node->kind == NODE_SEQUENCE || node->kind == NODE_GROUP;
}

/* In the order of the text, each node before what is in it. */
static uint64_t checksum_of(uint64_t checksum, const struct node *node)
{
    checksum = checksum_add(checksum, (uint64_t)node->kind << 32 | node->detail);
    if (node->kind == NODE_NAME)
        return checksum_add(checksum, ((const struct symbol *)node->value)->hash);
    if (node->kind == NODE_LITERAL)
        return checksum_add(checksum, text_hash(node->value, node->detail));
    for (uint32_t i = 0; has_items(node) && i < node->detail; i++)
        checksum = checksum_of(checksum, node->items[i]);
    if (node->left != NULL)
        checksum = checksum_of(checksum, node->left);
    if (node->right != NULL)
        checksum = checksum_of(checksum, node->right);
    return checksum;
}

static void drop_tree(struct memory *memory, struct node *node)
{
    if (!MEMORY_EXPLICIT || node == NULL)
        return;
    drop_tree(memory, node->left);
    drop_tree(memory, node->right);
    for (uint32_t i = 0; has_items(node) && i < node->detail; i++)
        drop_tree(memory, node->items[i]);
    memory_free(memory, node->items);
    if (node->kind == NODE_LITERAL)
        memory_free(memory, node->value);
    memory_free(memory, node);
}

/* ---- the program ------------------------------------------------------------------------------------ */

/* What is live, by file. */
struct account {
    struct live *trees;
    struct live all;
    struct live most;
};

/* The old tree stays until the new one is complete. */
static void parse_again(struct parser *parser, const struct corpus *corpus, uint32_t index,
                        struct account *account, uint64_t *checksum)
{
    struct node *tree = parse_file(parser, &corpus->files[index]);
    struct node *old = parser->roots->trees[index];
    memory_store(parser->memory, parser->roots->trees, &parser->roots->trees[index], tree);
    *checksum = checksum_of(*checksum, tree);
    account->all.bytes += parser->tree.bytes;
    account->all.heap_bytes += parser->tree.heap_bytes;
    live_note_most(&account->most, &account->all);
    account->all.bytes -= account->trees[index].bytes;
    account->all.heap_bytes -= account->trees[index].heap_bytes;
    account->trees[index] = parser->tree;
    drop_tree(parser->memory, old);
}

static uint64_t count_uses(struct symbol *const *symbols)
{
    uint64_t uses = 0;
    for (size_t i = 0; i < SYMBOL_CHAINS; i++) {
        for (const struct symbol *symbol = symbols[i]; symbol != NULL; symbol = symbol->chain)
            uses += symbol->uses * (symbol->hash | 1);
    }
    return uses;
}

void workload_run(struct memory *memory, struct run *run)
{
    const struct corpus *corpus = run->corpus;
    struct roots roots = {NULL, NULL};
    struct parser parser = {.memory = memory,
                            .roots = &roots,
                            .node_type = manager_record("node", sizeof(struct node), NODE_REFERENCES),
                            .symbol_type = manager_record("symbol", sizeof(struct symbol), SYMBOL_REFERENCES),
                            .items_type = manager_references("items"),
                            .text_type = manager_bytes("text")};
    struct account account = {.trees = calloc(corpus->count, sizeof(struct live))};
    if (account.trees == NULL)
        workload_fail("there is no memory for the sizes of the trees");
    memory_frame frame;
    memory_push(memory, &frame, &roots, 2);
    roots.symbols = memory_references(memory, parser.items_type, SYMBOL_CHAINS);
    roots.trees = memory_references(memory, parser.items_type, corpus->count);
    uint64_t random = run->seed;
    uint64_t checksum = 0;
    for (uint32_t i = 0; i < corpus->count; i++)
        parse_again(&parser, corpus, i, &account, &checksum);
    latency_begin(run);
    uint64_t again = (uint64_t)rounds[run->scale] * corpus->count;
    for (uint64_t i = 0; i < again; i++) {
        parse_again(&parser, corpus, (uint32_t)random_below(&random, corpus->count), &account, &checksum);
        latency_operation(run);
    }
    run->checksum = checksum_add(checksum, count_uses(roots.symbols));
    memory_pop(memory, &frame);
    free(account.trees);
    run->operations = corpus->count + again;
    live_add(&account.most, 1, SYMBOL_CHAINS * sizeof(void *));
    live_add(&account.most, 1, corpus->count * sizeof(void *));
    run->live.bytes = account.most.bytes + parser.symbols.bytes;
    run->live.heap_bytes = account.most.heap_bytes + parser.symbols.heap_bytes;
}
