/* master/places - see places.h. */
#include "places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"

/* The group may add files to maildrop, nobody may list it, and only owners remove what they added.
 */
enum { MODE_SHARED = 0755, MODE_PRIVATE = 0700, MODE_DROP = 01730 };

struct place {
    int parent;       /* AT_FDCWD: path is whole */
    const char *path; /* or the name below parent */
    const char *shown;
    struct identity owner;
    mode_t mode;
    struct span origin;    /* of a whole path: where it was set, or "default" */
    const char *parameter; /* its name; NULL below parent */
};

static void note(struct conf_notices *notices, const char *path, const char *what)
{
    conf_notice_add(notices, CONF_NOTICE_ERROR, "directory %s: %s: %s", path, what,
                    strerror(errno));
}

/* What can be corrected where the path was set. */
static void note_place(struct conf_notices *notices, const struct place *place, const char *what)
{
    const int error = errno;
    if (place->parameter)
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "%.*s %s = %s: %s: %s: correct the path, or make the directory",
                        SPAN_PRINTF(place->origin), place->parameter, place->shown, what,
                        strerror(error));
    else
        note(notices, place->shown, what);
}

/* The directories above a path of the configuration, as mkdir -p makes them. */
static void make_parents(const char *path)
{
    struct buffer name;
    buffer_init(&name, NULL, 8192);
    for (const char *at = path; *at; at++) {
        if (*at == '/' && at != path) {
            buffer_append_byte(&name, 0);
            if (buffer_ok(&name))
                (void)mkdir((const char *)name.bytes, MODE_SHARED); /* opening it will tell */
            name.length--;
        }
        buffer_append_byte(&name, (uint8_t)*at);
        if (!buffer_ok(&name))
            break;
    }
    buffer_release(&name);
}

static bool check_owner(int directory, const struct place *place, struct conf_notices *notices)
{
    struct stat facts;
    if (fstat(directory, &facts) != 0) {
        note(notices, place->shown, "cannot look at it");
        return false;
    }
    if (facts.st_uid != place->owner.uid && facts.st_uid == getuid() && geteuid() == 0) {
        /* Made by us a moment ago, or by the administrator beforehand. */
        if (fchown(directory, place->owner.uid, place->owner.gid) != 0 ||
            fchmod(directory, place->mode) != 0) {
            note(notices, place->shown, "cannot give it to its owner");
            return false;
        }
        return true;
    }
    if (facts.st_uid != place->owner.uid) {
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "directory %s belongs to uid %u instead of %u: chown -R %u:%u %s",
                        place->shown, facts.st_uid, place->owner.uid, place->owner.uid,
                        place->owner.gid, place->shown);
        return false;
    }
    const mode_t forbidden =
        (facts.st_mode & 07777) == MODE_DROP ? S_IWOTH : (mode_t)(S_IWGRP | S_IWOTH);
    if (facts.st_mode & forbidden) {
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "directory %s may be written to by others (mode %03o): chmod %03o %s",
                        place->shown, facts.st_mode & 07777, place->mode, place->shown);
        return false;
    }
    return true;
}

/* A descriptor, or -1 and a note. */
static int open_place(const struct place *place, struct conf_notices *notices)
{
    /* Below a daemon's own directory a symbolic link would lead root astray. */
    const int flags =
        O_RDONLY | O_DIRECTORY | O_CLOEXEC | (place->parent == AT_FDCWD ? 0 : O_NOFOLLOW);
    int directory = openat(place->parent, place->path, flags);
    if (directory < 0 && errno == ENOENT) {
        if (place->parent == AT_FDCWD)
            make_parents(place->path);
        if (mkdirat(place->parent, place->path, place->mode) != 0 && errno != EEXIST) {
            note_place(notices, place, "cannot make it");
            return -1;
        }
        directory = openat(place->parent, place->path, flags);
    }
    if (directory < 0) {
        note_place(notices, place, "cannot open it");
        return -1;
    }
    if (!check_owner(directory, place, notices)) {
        file_close(directory);
        return -1;
    }
    return directory;
}

static int open_below(int parent, const char *above, const char *name, struct identity owner,
                      mode_t mode, struct conf_notices *notices)
{
    char *shown = NULL;
    if (asprintf(&shown, "%s/%s", above, name) < 0)
        return -1;
    const struct place place = {
        .parent = parent, .path = name, .shown = shown, .owner = owner, .mode = mode};
    const int directory = open_place(&place, notices);
    free(shown);
    return directory;
}

static struct place whole_path(const struct plan *plan, const char *parameter, const char *path,
                               struct identity owner)
{
    return (struct place){
        .parent = AT_FDCWD,
        .path = path,
        .shown = path,
        .owner = owner,
        .mode = MODE_SHARED,
        .origin = conf_instance_origin(&plan->instance, NULL, span_from_string(parameter)),
        .parameter = parameter};
}

static void check_empty(int directory, const char *shown, struct conf_notices *notices)
{
    const int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = again < 0 ? NULL : fdopendir(again);
    if (!stream) {
        note(notices, shown, "cannot read it");
        file_close(again);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            conf_notice_add(notices, CONF_NOTICE_ERROR,
                            "directory %s must be empty and holds \"%s\": remove that", shown,
                            entry->d_name);
            break;
        }
    (void)closedir(stream); /* only read from */
}

/* Of pickup, for who is in the group of postdrop. Who is not root has no group for it. */
static void open_maildrop(const struct plan *plan, int queue, struct conf_notices *notices)
{
    const struct identity owner = plan->drop_owner;
    const char *path = plan->queue_directory;
    const int directory = open_below(queue, path, "maildrop", owner, MODE_PRIVATE, notices);
    if (directory >= 0 && geteuid() == 0 &&
        (fchown(directory, owner.uid, owner.gid) != 0 || fchmod(directory, MODE_DROP) != 0))
        note(notices, "maildrop", "cannot give it to its group");
    file_close(directory);
}

static void open_queue(const struct plan *plan, struct identity ourselves, struct places *places,
                       struct conf_notices *notices)
{
    static const char *const names[] = {"tmp", "new", "deferred", "hold", "corrupt"};
    const char *path = plan->queue_directory;
    const struct place place = whole_path(plan, "queue_directory", path, plan->owner);
    const int queue = open_place(&place, notices);
    if (queue < 0)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        file_close(open_below(queue, path, names[i], plan->owner, MODE_PRIVATE, notices));
    for (size_t i = 0; i < plan->service_count; i++)
        if (plan->services[i]->program->role == IPC_ROLE_CONNECTD)
            file_close(open_below(queue, path, "private", plan->services[i]->identity, MODE_PRIVATE,
                                  notices));
    open_maildrop(plan, queue, notices);
    places->pid = open_below(queue, path, "pid", ourselves, MODE_SHARED, notices);
    places->public = open_below(queue, path, "public", ourselves, MODE_SHARED, notices);
    file_close(queue);
}

static void open_data(const struct plan *plan, struct identity ourselves,
                      struct conf_notices *notices)
{
    const char *path = plan->data_directory;
    const struct place place = whole_path(plan, "data_directory", path, ourselves);
    const int data = open_place(&place, notices);
    if (data < 0)
        return;
    for (size_t i = 0; i < plan->service_count; i++) {
        const struct plan_service *service = plan->services[i];
        if (service->program->traits & WIRING_HAS_DATA)
            file_close(open_below(data, path, service->program->program, service->identity,
                                  MODE_PRIVATE, notices));
    }
    file_close(data);
}

static void open_run(const struct plan *plan, struct identity ourselves, struct places *places,
                     struct conf_notices *notices)
{
    const char *path = plan->run_directory;
    const struct place place = whole_path(plan, "run_directory", path, ourselves);
    places->run = open_place(&place, notices);
    if (places->run < 0)
        return;
    const int empty = open_below(places->run, path, "empty", ourselves, MODE_SHARED, notices);
    if (empty >= 0)
        check_empty(empty, plan->empty_directory, notices);
    file_close(empty);
}

bool places_open(const struct plan *plan, struct places *places, struct conf_notices *notices)
{
    const struct identity ourselves = {getuid(), getgid()};
    const size_t errors_before = notices->error_count;

    *places = (struct places){-1, -1, -1};
    open_queue(plan, ourselves, places, notices);
    open_data(plan, ourselves, notices);
    open_run(plan, ourselves, places, notices);
    if (notices->error_count == errors_before)
        return true;
    places_close(places);
    return false;
}

void places_close(struct places *places)
{
    file_close(places->pid);
    file_close(places->public);
    file_close(places->run);
    *places = (struct places){-1, -1, -1};
}
