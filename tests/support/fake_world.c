#include "tests/support/fake_world.h"

static void require(struct fake_world *fake, bool holds, const char *violation)
{
    if (!holds && fake->violation == NULL)
        fake->violation = violation;
}

static void visit_roots_of(struct fake_world *fake, int kind, struct shale_visitor *visitor)
{
    for (int i = 0; i < MODEL_ROOTS; i++) {
        if (i / 2 % 2 != kind)
            continue;
        if (i % 2 == 0)
            shale_visit_pointers(visitor, &fake->model->roots[i], 1);
        else
            shale_visit_values(visitor, &fake->model->roots[i], 1);
    }
}

static void fake_stop(void *context)
{
    struct fake_world *fake = context;
    require(fake, !fake->stopped, "the world was stopped twice");
    fake->stopped = true;
    fake->stops++;
    if (fake->on_stopped != NULL)
        fake->on_stopped(fake->context);
}

static void update_now(struct fake_world *fake)
{
    if (fake->update != NULL)
        visit_roots_of(fake, 1, fake->update);
    fake->update = NULL;
}

static void fake_resume(void *context)
{
    struct fake_world *fake = context;
    require(fake, fake->stopped, "the world was resumed without a stop");
    fake->stopped = false;
    /* A mutator in a native section does not run on: its roots wait to be settled. */
    if (test_random_chance(fake->model->random, 70))
        update_now(fake);
    if (fake->on_resumed != NULL)
        fake->on_resumed(fake->context);
}

static void fake_visit_roots(void *context, struct shale_visitor *visitor)
{
    struct fake_world *fake = context;
    require(fake, fake->stopped, "roots were visited while the world ran");
    visit_roots_of(fake, 0, visitor);
    visit_roots_of(fake, 1, visitor);
}

static void fake_begin_root_update(void *context, struct shale_visitor *visitor)
{
    struct fake_world *fake = context;
    require(fake, fake->stopped, "a root update began while the world ran");
    require(fake, fake->update == NULL, "a root update began before the last was settled");
    fake->update = visitor;
    visit_roots_of(fake, 0, visitor);
}

static void fake_settle_roots(void *context)
{
    update_now(context);
}

static void fake_visit_buffers(void *context, void (*visit)(struct bump *bump, struct memory *memory))
{
    struct fake_world *fake = context;
    require(fake, fake->stopped, "allocation buffers were visited while the world ran");
    for (int i = 0; i < FAKE_BUFFERS; i++)
        visit(&fake->buffers[i], &fake->model->memory);
}

static void fake_log(void *context, shale_log_level level, const char *line)
{
    struct fake_world *fake = context;
    log_lines_add(&fake->lines, level, line);
}

void fake_world_init(struct fake_world *fake, struct model *model)
{
    *fake = (struct fake_world){.model = model};
    fake->world = (struct world){
        .context = fake,
        .stop = fake_stop,
        .resume = fake_resume,
        .visit_roots = fake_visit_roots,
        .begin_root_update = fake_begin_root_update,
        .settle_roots = fake_settle_roots,
        .visit_buffers = fake_visit_buffers,
        .log = fake_log,
    };
    log_lines_init(&fake->lines);
    for (int i = 0; i < FAKE_BUFFERS; i++)
        bump_init(&fake->buffers[i], i == 0 ? model->memory.views.page_size : BUMP_CHUNK_SIZE);
}

void fake_world_destroy(struct fake_world *fake)
{
    log_lines_destroy(&fake->lines);
}
