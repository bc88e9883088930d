/* The output of scripts, written by a thread of its own.
 *
 * A script hands its lines over and goes on; who reads them slowly, or not at
 * all, stops the writer and no script. What does not fit into the ring
 * meanwhile is dropped and counted, and told of in its place; a line that is
 * too long is cut. Lines go to the journal, with fields for script, file, line
 * and level, where the stream is connected to it, and else to the descriptor.
 */
#ifndef AW_OUTPUT_H
#define AW_OUTPUT_H

#include <stdbool.h>

#include "devices/queue/error.h"
#include "pymod/host.h"

struct aw_output;

/* True if the descriptor is connected to the journal: $JOURNAL_STREAM says so,
 * and is right. */
bool aw_output_is_journal(int fd);

/* Starts the writer; what it writes begins with the script's name, as the host
 * gives it. Returns 0 or a negative errno. */
int aw_output_start(struct aw_output **ret_output);

/* The functions that take the lines of scripts, for aw_host_config.output. */
struct aw_host_output aw_output_for_host(struct aw_output *output);

/* Lines that were not written, of all scripts: dropped, or waiting to be. Any
 * thread. */
uint64_t aw_output_unwritten(struct aw_output *output);

/* Waits until all is written, but no longer than `timeout_s`. Frees the output,
 * unless the writer still stands, since nobody reads: then it is left behind,
 * and true is returned. No script may run any more. Accepts NULL. */
bool aw_output_stop(struct aw_output *output, double timeout_s);

/* No line is begun any more: the count of those that were not written stands,
 * unless the writer's own one takes longer than `timeout_s`. The output is left
 * behind, and is not to be stopped. */
void aw_output_give_up(struct aw_output *output, double timeout_s);

#endif
