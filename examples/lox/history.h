/*
 * What was typed in former sessions, for lines.c: shale-lox/history in $XDG_STATE_HOME, or ~/.shale_lox_history. Trouble with the file is no
 * reason to bother anybody. Without libedit nothing is kept.
 */
#ifndef LOX_HISTORY_H
#define LOX_HISTORY_H

void history_load(void);
void history_save(void);

#endif
