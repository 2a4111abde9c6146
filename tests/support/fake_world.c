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

static void for_each_local(struct fake_world *fake, local_function function, void *argument)
{
    for (int i = 0; i < FAKE_MUTATORS; i++)
        function(argument, &fake->locals[i]);
}

static void fake_handshake(void *context, enum mark_stage stage, local_function function, void *argument)
{
    struct fake_world *fake = context;
    require(fake, !fake->stopped, "a handshake was asked for while the world was stopped");
    if (fake->before_handshake != NULL)
        fake->before_handshake(fake->context, stage);
    fake->stage = stage;
    fake->handshakes++;
    for_each_local(fake, function, argument);
    if (fake->on_handshake != NULL)
        fake->on_handshake(fake->context);
}

/* The first mutator has all the roots that belong to one. */
static void fake_visit_mutator_roots(void *context, struct mutator_local *local,
                                     struct shale_visitor *visitor)
{
    struct fake_world *fake = context;
    if (local == &fake->locals[0])
        visit_roots_of(fake, 1, visitor);
}

static void fake_visit_heap_roots(void *context, struct shale_visitor *visitor)
{
    struct fake_world *fake = context;
    visit_roots_of(fake, 0, visitor);
    if (fake->finalizers != NULL)
        shale_visit_pointers(visitor, fake->finalizers->queue, fake->finalizers->queue_count);
}

static uint64_t fake_queue_finalizable(void *context, bool (*is_dead)(void *argument, uint64_t address),
                                       void *argument)
{
    struct fake_finalizers *finalizers = ((struct fake_world *)context)->finalizers;
    if (finalizers == NULL)
        return 0;
    size_t kept = 0;
    size_t count = finalizers->registered_count;
    for (size_t i = 0; i < count; i++) {
        uint64_t object = finalizers->registered[i];
        if (is_dead(argument, object))
            finalizers->queue[finalizers->queue_count++] = object;
        else
            finalizers->registered[kept++] = object;
    }
    finalizers->registered_count = kept;
    return count - kept;
}

static void fake_visit_queued(void *context, struct shale_visitor *visitor)
{
    struct fake_finalizers *finalizers = ((struct fake_world *)context)->finalizers;
    shale_visit_pointers(visitor, finalizers->queue + finalizers->published,
                         finalizers->queue_count - finalizers->published);
}

static void fake_publish_finalizable(void *context)
{
    struct fake_finalizers *finalizers = ((struct fake_world *)context)->finalizers;
    finalizers->published = finalizers->queue_count;
}

static void fake_find_dead_external(void *context, bool (*is_dead)(void *argument, uint64_t address),
                                    void *argument)
{
    (void)context;
    (void)is_dead;
    (void)argument;
}

static uint64_t fake_free_external(void *context)
{
    (void)context;
    return 0;
}

/* Nobody changes roots of the heap while the collector runs. */
static void fake_await_root_changes(void *context)
{
    (void)context;
}

static void fake_visit_mutators(void *context, local_function function, void *argument)
{
    struct fake_world *fake = context;
    require(fake, fake->stopped, "mutators were visited while the world ran");
    for_each_local(fake, function, argument);
}

static void fake_set_stage(void *context, enum mark_stage stage)
{
    struct fake_world *fake = context;
    require(fake, fake->stopped, "the stage was set while the world ran");
    fake->stage = stage;
}

static bool fake_begin_moving(void *context)
{
    struct fake_world *fake = context;
    require(fake, !fake->stopped && !fake->moving, "moving began while the world was stopped, or twice");
    fake->moving = fake->held_off == NULL || !fake->held_off(fake->context);
    return fake->moving;
}

static void fake_end_moving(void *context)
{
    struct fake_world *fake = context;
    require(fake, fake->moving, "moving ended that had not begun");
    fake->moving = false;
}

static bool fake_log(void *context, shale_log_level level, const char *line)
{
    struct fake_world *fake = context;
    log_lines_add(&fake->lines, level, line);
    return false;
}

void fake_world_init(struct fake_world *fake, struct model *model)
{
    *fake = (struct fake_world){.model = model};
    fake->world = (struct world){
        .context = fake,
        .handshake = fake_handshake,
        .visit_mutator_roots = fake_visit_mutator_roots,
        .visit_heap_roots = fake_visit_heap_roots,
        .queue_finalizable = fake_queue_finalizable,
        .find_dead_external = fake_find_dead_external,
        .free_external = fake_free_external,
        .await_root_changes = fake_await_root_changes,
        .visit_queued = fake_visit_queued,
        .publish_finalizable = fake_publish_finalizable,
        .stop = fake_stop,
        .resume = fake_resume,
        .visit_roots = fake_visit_roots,
        .begin_root_update = fake_begin_root_update,
        .settle_roots = fake_settle_roots,
        .visit_mutators = fake_visit_mutators,
        .set_stage = fake_set_stage,
        .begin_moving = fake_begin_moving,
        .end_moving = fake_end_moving,
        .log = fake_log,
    };
    log_lines_init(&fake->lines);
    for (int i = 0; i < FAKE_MUTATORS; i++) {
        bump_init(&fake->locals[i].bump, i == 0 ? model->memory.views.page_size : BUMP_CHUNK_SIZE);
        mark_attach(&fake->locals[i], STAGE_IDLE);
    }
}

void fake_world_destroy(struct fake_world *fake)
{
    log_lines_destroy(&fake->lines);
}
