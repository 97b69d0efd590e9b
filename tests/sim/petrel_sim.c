/* SPDX-License-Identifier: Apache-2.0
 *
 * petrel-sim: runs the simulator from the command line. docs/testing.md.
 *
 * Each run is a process of its own, so that one that dies is a run that failed. Of one that failed
 * it looks for a shorter plan that still fails in the same way.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "sim/run.h"

enum {
    USAGE = 2,
    MINUTE = 60000,
    SHRINK_SHOWN = 400, /* lines of a plan that are printed */
    ENOUGH = 20,        /* so often for each kind of a fault, and each has to come to pass */
};

struct args {
    struct run_options run;
    struct plan plan; /* when it was given */
    bool planned;
    uint64_t seeds;
    bool until_failure;
    uint64_t shrink_s; /* time for it; 0: none */
    bool all_kinds;
};

static const char HELP[] =
    "usage: petrel-sim [option...]\n"
    "  --seed N           the first seed (default: from the clock)\n"
    "  --seeds N          so many, one after the other (1)\n"
    "  --until-failure    on and on\n"
    "  --nodes N          nodes; a tenth of them are relays, as many again both (10)\n"
    "  --hours N          of the plan (1)\n"
    "  --contacts N       of each person, about (4)\n"
    "  --profile NAME     what people do and what goes wrong: %s (rough)\n"
    "  --rate KIND=N      so often, for one person or node in 1,000 hours, instead of the\n"
    "                     profile's; kinds:%s\n"
    "  --crypto real|sim  sim: public-key functions that only look like it (real)\n"
    "  --all-kinds        fail when something that the profile has was never done\n"
    "  --look N           seconds between looks at what came (10)\n"
    "  --plan FILE        lines as those of a shorter plan, instead of the seed's\n"
    "  --shrink N         seconds to look for a shorter plan that fails, which is printed (60)\n";

static int usage(FILE *to)
{
    char kinds[512] = "";
    size_t at = 0;
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        at += (size_t)snprintf(kinds + at, sizeof kinds - at, " %s",
                               plan_kind_name((enum plan_kind)i));
    }
    fprintf(to, HELP, plan_profiles(), kinds);
    return to == stdout ? EXIT_SUCCESS : USAGE;
}

static bool number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    bool ok = errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out <= most;
    if (!ok) {
        fprintf(stderr, "petrel-sim: not a number up to %" PRIu64 ": %s\n", most, text);
    }
    return ok;
}

static bool rate(struct plan_profile *profile, char *text)
{
    char *value = strchr(text, '=');
    uint64_t n;
    if (value != NULL) {
        *value++ = '\0';
        for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
            if (strcmp(text, plan_kind_name((enum plan_kind)i)) == 0) {
                bool ok = number(value, UINT32_MAX, &n);
                profile->rate[i] = ok ? (uint32_t)n : 0;
                return ok;
            }
        }
    }
    fprintf(stderr, "petrel-sim: no rate: %s\n", text);
    return false;
}

static bool profile(struct args *a, const char *name)
{
    const struct plan_profile *found = plan_profile(name);
    if (found == NULL) {
        fprintf(stderr, "petrel-sim: no profile %s; there are: %s\n", name, plan_profiles());
        return false;
    }
    a->run.profile = *found;
    return true;
}

static bool plan_file(struct args *a, const char *path)
{
    unsigned line;
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        fprintf(stderr, "petrel-sim: %s: %s\n", path, strerror(errno));
        return false;
    }
    a->planned = plan_read(&a->plan, f, &line);
    (void)fclose(f);
    if (!a->planned) {
        fprintf(stderr, "petrel-sim: %s, line %u: no operation\n", path, line);
    }
    return a->planned;
}

static bool take(struct args *a, int option, char *value)
{
    uint64_t n = 0;
    switch (option) {
    case 's':
        return number(value, UINT64_MAX, &a->run.seed);
    case 'S':
        return number(value, UINT64_MAX, &a->seeds);
    case 'u':
        a->until_failure = true;
        return true;
    case 'a':
        a->all_kinds = true;
        return true;
    case 'n':
        if (!number(value, SIM_NODES, &n) || n < 3) {
            fprintf(stderr, "petrel-sim: a world has 3 nodes or more\n");
            return false;
        }
        a->run.nodes = (size_t)n;
        return true;
    case 'h':
        if (!number(value, 100000, &n)) {
            return false;
        }
        a->run.ms = n * 60 * MINUTE;
        return true;
    case 'c':
        a->run.contacts = number(value, 1000, &n) ? (size_t)n : 0;
        return a->run.contacts > 0;
    case 'p':
        return profile(a, value);
    case 'r':
        return rate(&a->run.profile, value);
    case 'k':
        a->run.crypto_sim = strcmp(value, "sim") == 0;
        return a->run.crypto_sim || strcmp(value, "real") == 0;
    case 'l':
        a->run.look_ms = number(value, 86400, &n) ? n * 1000 : 0;
        return a->run.look_ms > 0;
    case 'P':
        return plan_file(a, value);
    case 'x':
        return number(value, 86400, &a->shrink_s);
    default:
        return false;
    }
}

static int args_read(struct args *a, int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seeds", required_argument, NULL, 'S'},
                                            {"until-failure", no_argument, NULL, 'u'},
                                            {"nodes", required_argument, NULL, 'n'},
                                            {"hours", required_argument, NULL, 'h'},
                                            {"contacts", required_argument, NULL, 'c'},
                                            {"profile", required_argument, NULL, 'p'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"crypto", required_argument, NULL, 'k'},
                                            {"look", required_argument, NULL, 'l'},
                                            {"shrink", required_argument, NULL, 'x'},
                                            {"plan", required_argument, NULL, 'P'},
                                            {"all-kinds", no_argument, NULL, 'a'},
                                            {"help", no_argument, NULL, '?' + 128},
                                            {NULL, 0, NULL, 0}};
    *a = (struct args){.run = {.seed = (uint64_t)time(NULL),
                               .nodes = 10,
                               .ms = 60 * MINUTE,
                               .contacts = 4,
                               .look_ms = 10000},
                       .seeds = 1,
                       .shrink_s = 60};
    a->run.progress = isatty(STDERR_FILENO) == 1;
    (void)profile(a, "rough");
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?' + 128) {
            exit(usage(stdout));
        }
        if (!take(a, option, optarg)) {
            return usage(stderr);
        }
    }
    return optind == argc ? EXIT_SUCCESS : usage(stderr);
}

/* --- one run in a process of its own --- */

static void run_apart(const struct run_options *options, const struct plan *plan, bool trace,
                      struct run_outcome *out)
{
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0) {
        perror("petrel-sim: pipe");
        exit(EXIT_FAILURE);
    }
    pid_t pid = fork();
    if (pid == 0) {
        run_once(options, plan, trace, out);
        fflush(stdout);
        bool told = write(ends[1], out, sizeof *out) == (ssize_t)sizeof *out;
        _exit(told ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(ends[1]);
    memset(out, 0, sizeof *out);
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got < sizeof *out;) {
        n = read(ends[0], (char *)out + got, sizeof *out - got);
        got += n > 0 ? (size_t)n : 0;
    }
    close(ends[0]);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || got < sizeof *out) {
        out->failed = true;
        snprintf(out->why, sizeof out->why, "process: it ended with status %d", status);
    }
}

/* --- a shorter plan that fails in the same way --- */

/* The same words; numbers may differ. */
static bool same_way(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        a += strspn(a, "0123456789");
        b += strspn(b, "0123456789");
        if (*a != *b || *a == '\0') {
            return *a == *b;
        }
        a++;
        b++;
    }
    return *a == *b;
}

/* plan without the ops from `from` to `to`. */
static struct plan without(const struct plan *plan, size_t from, size_t to)
{
    struct plan less = {.count = plan->count - (to - from)};
    less.ops = malloc((less.count + 1) * sizeof *less.ops);
    if (less.ops == NULL) {
        exit(EXIT_FAILURE);
    }
    if (from > 0) {
        memcpy(less.ops, plan->ops, from * sizeof *less.ops);
    }
    if (to < plan->count) {
        memcpy(less.ops + from, plan->ops + to, (plan->count - to) * sizeof *less.ops);
    }
    return less;
}

/* Leaves out ever smaller parts, as long as there is time. */
static void shrink(const struct args *a, struct plan *plan, const struct run_outcome *failed)
{
    struct run_options quiet = a->run;
    time_t end = time(NULL) + (time_t)a->shrink_s;
    struct run_outcome out;
    quiet.progress = false;
    for (size_t part = (plan->count + 1) / 2; part > 0 && time(NULL) < end;) {
        bool smaller = false;
        for (size_t from = 0; from < plan->count && time(NULL) < end;) {
            size_t to = from + part < plan->count ? from + part : plan->count;
            struct plan less = without(plan, from, to);
            run_apart(&quiet, &less, false, &out);
            if (out.failed && same_way(failed->why, out.why)) {
                plan_free(plan);
                *plan = less;
                smaller = true;
            } else {
                plan_free(&less);
                from = to;
            }
        }
        part = part > 1 ? (part + 1) / 2 : smaller ? 1 : 0;
    }
}

static void print_commit(void)
{
    char text[64] = "unknown";
    FILE *git = popen("git -C '" PETREL_SOURCE_DIR "' rev-parse --short=12 HEAD 2>/dev/null", "r");
    if (git != NULL) {
        if (fgets(text, sizeof text, git) == NULL) {
            snprintf(text, sizeof text, "unknown");
        }
        (void)pclose(git);
    }
    text[strcspn(text, "\n")] = '\0';
    printf("commit %s\n", text);
}

static void report(const struct args *a, const struct run_outcome *failed)
{
    struct plan plan;
    struct run_outcome out;
    printf("FAILED seed %" PRIu64 ", %zu nodes, %" PRIu64 " hours, profile %s\n%s\n", a->run.seed,
           a->run.nodes, a->run.ms / (60 * MINUTE), a->run.profile.name, failed->why);
    print_commit();
    if (a->planned) {
        plan = without(&a->plan, 0, 0);
    } else {
        run_plan(&a->run, &plan);
    }
    size_t all = plan.count;
    shrink(a, &plan, failed);
    printf("plan: %zu of %zu operations are enough\n", plan.count, all);
    for (size_t i = 0; a->shrink_s > 0 && i < plan.count && i < SHRINK_SHOWN; i++) {
        char text[128];
        plan_op_text(&plan.ops[i], text, sizeof text);
        printf("  %s\n", text);
    }
    printf("the last things that happened:\n");
    run_apart(&a->run, &plan, true, &out);
    printf("%s\n", out.why);
    plan_free(&plan);
}

/* --- many --- */

static void add(struct run_outcome *sum, const struct run_outcome *out)
{
    for (size_t i = 0; i < sizeof sum->did / sizeof(uint64_t); i++) {
        ((uint64_t *)&sum->did)[i] += ((const uint64_t *)&out->did)[i];
    }
    sum->asking = out->asking > sum->asking ? out->asking : sum->asking;
    sum->sealed += out->sealed;
    sum->begun += out->begun;
    sum->searched += out->searched;
    sum->stolen += out->stolen;
    sum->read += out->read;
    sum->closed += out->closed;
    sum->closed_broken += out->closed_broken;
    sum->held = out->held > sum->held ? out->held : sum->held;
    sum->turns += out->turns;
    sum->frames += out->frames;
    sum->bytes += out->bytes;
    sum->resets += out->resets;
    sum->faults += out->faults;
    sum->wall_ms += out->wall_ms;
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        sum->done[i] += out->done[i];
    }
    for (unsigned i = 0; i < SIM_POINTS; i++) {
        sum->struck[i] += out->struck[i];
    }
    for (unsigned i = 0; i < EVIL_KIND_COUNT; i++) {
        sum->lies[i] += out->lies[i];
    }
    sum->trace = sum->trace * 31 + out->trace;
}

static void print_sum(const struct args *a, const struct run_outcome *sum, uint64_t runs,
                      uint64_t failures)
{
    printf("plan:");
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        printf(" %s %" PRIu64, plan_kind_name((enum plan_kind)i), sum->done[i]);
    }
    printf("\nfaults:");
    for (unsigned i = 0; i < SIM_POINTS; i++) {
        printf(" %s %" PRIu64, sim_point_name((enum sim_point)i), sum->struck[i]);
    }
    printf(" reset %" PRIu64 "\n", sum->resets);
    printf("lies:");
    for (unsigned i = 0; i < EVIL_KIND_COUNT; i++) {
        printf(" %s %" PRIu64, evil_kind_name((enum evil_kind)i), sum->lies[i]);
    }
    printf("\n");
    printf("meetings:");
    for (unsigned i = 0; i < MEET_WAY_COUNT; i++) {
        printf(" %s %" PRIu64, meet_way_name((enum meet_way)i), sum->did.met[i]);
    }
    printf(" again %" PRIu64 "; restored %" PRIu64 "\ninvitations stolen:", sum->did.met_again,
           sum->did.restored);
    for (unsigned i = 0; i < THEFT_WAY_COUNT; i++) {
        printf(" %s %" PRIu64, theft_way_name((enum theft_way)i), sum->did.stolen[i]);
    }
    printf(", inviters told %" PRIu64 ", invited told %" PRIu64 ", thieves heard %" PRIu64 "\n",
           sum->did.alarms, sum->did.warned, sum->did.thief_words);
    printf("strangers: bundles %" PRIu64 " parts %" PRIu64 " none-left %" PRIu64, sum->did.popped,
           sum->did.parts, sum->did.drained);
    for (unsigned i = 0; i < FLOOD_WAY_COUNT; i++) {
        printf(" %s %" PRIu64, flood_way_name((enum flood_way)i), sum->did.floods[i]);
    }
    printf(" turned-away %" PRIu64 "; at most %" PRIu64 " asked one person; %" PRIu64
           " million hashes paid\n",
           sum->did.turned_away, sum->asking, sum->did.paid / 1000000);
    printf("messages: %" PRIu64 " acknowledged, %" PRIu64 " refused, %" PRIu64 " came, %" PRIu64
           " failed and said so, %" PRIu64 " went with a home that went back\n",
           sum->did.said, sum->did.refused, sum->did.got, sum->did.failed, sum->did.excused);
    printf("deleted: %" PRIu64 " messages, after which %" PRIu64 " copies did not open\n",
           sum->did.deleted, sum->did.forgotten);
    printf("sessions: %" PRIu64 " replaced, %" PRIu64 " begun with a one-time prekey; %" PRIu64
           " copied, after which %" PRIu64 " envelopes opened, %" PRIu64 " did not, nor %" PRIu64
           " with X25519 broken\n",
           sum->did.healed, sum->begun, sum->stolen, sum->read, sum->closed, sum->closed_broken);
    printf("watched: %" PRIu64 " seals, %" PRIu64 " MiB searched\n", sum->sealed,
           sum->searched >> 20);
    printf("memory: %" PRId64 " KiB of one node at most\n", sum->held >> 10);
    printf("turns %" PRIu64 ", frames %" PRIu64 ", MiB %" PRIu64 "\n", sum->turns, sum->frames,
           sum->bytes >> 20);
    printf("sim_runs %" PRIu64 "\n", runs);
    printf("sim_messages_per_s %" PRIu64 "\n",
           sum->wall_ms > 0 ? sum->did.got * 1000 / sum->wall_ms : 0);
    printf("sim_nodes %zu\n", a->run.nodes);
    printf("sim_faults %" PRIu64 "\n", sum->faults);
    printf("sim_failures %" PRIu64 "\n", failures);
    printf("sim_trace_hash %016" PRIx64 "\n", sum->trace);
}

static bool was_done(const char *what, uint64_t n)
{
    if (n == 0) {
        printf("never: %s\n", what);
    }
    return n > 0;
}

/* Whether all that people and strangers may do in this profile was done, and of many faults and
 * lies each kind came to pass. */
static bool all_done(const struct args *a, const struct run_outcome *sum)
{
    const uint32_t *rate = a->run.profile.rate;
    bool ok = true;
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        ok &= rate[i] == 0 || was_done(plan_kind_name((enum plan_kind)i), sum->done[i]);
    }
    for (unsigned i = 0; rate[PLAN_MEET] > 0 && i < MEET_WAY_COUNT; i++) {
        ok &= was_done(meet_way_name((enum meet_way)i), sum->did.met[i]);
    }
    for (unsigned i = 0; rate[PLAN_THIEF] > 0 && i < THEFT_WAY_COUNT; i++) {
        ok &= was_done(theft_way_name((enum theft_way)i), sum->did.stolen[i]);
    }
    for (unsigned i = 0; rate[PLAN_FLOOD] > 0 && i < FLOOD_WAY_COUNT; i++) {
        ok &= was_done(flood_way_name((enum flood_way)i), sum->did.floods[i]);
    }
    for (unsigned i = 0; sum->done[PLAN_FAULT] >= ENOUGH * SIM_POINTS && i < SIM_POINTS; i++) {
        ok &= was_done(sim_point_name((enum sim_point)i), sum->struck[i]);
    }
    for (unsigned i = 0; sum->done[PLAN_LIE] >= ENOUGH * EVIL_KIND_COUNT && i < EVIL_KIND_COUNT;
         i++) {
        ok &= was_done(evil_kind_name((enum evil_kind)i), sum->lies[i]);
    }
    ok &= rate[PLAN_RESTORE] == 0 || was_done("restored", sum->did.restored);
    return ok && (rate[PLAN_POP] == 0 || was_done("none-left", sum->did.drained));
}

int main(int argc, char **argv)
{
    struct args a;
    struct run_outcome sum = {.failed = false};
    struct run_outcome out;
    uint64_t runs = 0;
    int rc = args_read(&a, argc, argv);
    if (rc != EXIT_SUCCESS) {
        return rc;
    }
    if (sodium_init() < 0) {
        fprintf(stderr, "petrel-sim: libsodium cannot start\n");
        return EXIT_FAILURE;
    }
    printf("seed %" PRIu64 "\n", a.run.seed);
    for (out.failed = false; !out.failed && (a.until_failure || runs < a.seeds);) {
        run_apart(&a.run, a.planned ? &a.plan : NULL, false, &out);
        if (a.run.progress) {
            fprintf(stderr, "\rseed %" PRIu64 ": %s%40s\n", a.run.seed,
                    out.failed ? "FAILED" : "all came", "");
        }
        add(&sum, &out);
        runs++;
        if (!out.failed) {
            a.run.seed++;
        }
    }
    if (out.failed) {
        report(&a, &out);
    }
    print_sum(&a, &sum, runs, out.failed);
    plan_free(&a.plan);
    bool lacks = a.all_kinds && !out.failed && !all_done(&a, &sum);
    return out.failed || lacks ? EXIT_FAILURE : EXIT_SUCCESS;
}
