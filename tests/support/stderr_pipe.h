/* Standard error as a pipe, for the time of a test. */
#ifndef STDERR_PIPE_H
#define STDERR_PIPE_H

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct stderr_pipe {
    int saved;
    int reader;
};

/* 0, or -1: no pipe. What waits for its reader is ended after 30 s. */
static inline int stderr_pipe_begin(struct stderr_pipe *self)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    self->saved = dup(STDERR_FILENO);
    self->reader = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    signal(SIGPIPE, SIG_IGN);
    alarm(30);
    return 0;
}

static inline void stderr_pipe_end(struct stderr_pipe *self)
{
    alarm(0);
    dup2(self->saved, STDERR_FILENO);
    close(self->saved);
    close(self->reader);
}

/* Its reader goes. */
static inline void stderr_pipe_leave(struct stderr_pipe *self)
{
    close(self->reader);
    self->reader = dup(STDERR_FILENO);
}

#endif
