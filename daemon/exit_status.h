/* What the process says when it ends, beside a script's own status (sysexits.h
 * where it has a word for it). */
#ifndef AW_EXIT_STATUS_H
#define AW_EXIT_STATUS_H

enum aw_exit_status {
    AW_EXIT_OK = 0,            /* also after SIGTERM */
    AW_EXIT_FORCED = 1,        /* a script did not stop, or blocked past all of
                                * stall_kill_s; also a traceback's */
    AW_EXIT_SCRIPT = 1,        /* of a script under --service: 64 or 78 */
    AW_EXIT_USAGE = 64,        /* the command line */
    AW_EXIT_UNAVAILABLE = 69,  /* a device is missing or refused */
    AW_EXIT_INTERNAL = 70,     /* awaitd itself */
    AW_EXIT_LOSS = 75,         /* --fail-on-drop: a queue lost a frame */
    AW_EXIT_CONFIG = 78,       /* a device or script is configured wrongly */
    AW_EXIT_OUTPUT = 120,      /* of one script: its last lines were lost */
    AW_EXIT_INTERRUPTED = 130, /* Ctrl-C */
};

#endif
