/*
 * Reading JSON, to the letter of RFC 8259, with at most PARSE_DEPTH values in each other.
 */
#ifndef PLAINC_PARSE_H
#define PLAINC_PARSE_H

#include "value.h"

enum { PARSE_DEPTH = 512, PARSE_MESSAGE = 160 };

/* The value that the text consists of. NULL: `message` says where and why it is none. */
struct value *parse(const char *text, size_t length, char message[PARSE_MESSAGE]);

/* A string at the beginning of a text, quotes included; sets `used` to the bytes of it. */
struct text *parse_string_at(const char *text, size_t length, size_t *used, char message[PARSE_MESSAGE]);

#endif
