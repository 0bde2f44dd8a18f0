/*
 * The command `top`: frame after frame until somebody leaves. What a frame is, is kernel/top.c's.
 *
 *	enter the screen, hide the cursor --> frame --> a key, or every= is over --> frame ...
 *	                                                  `-- q, ^C or count= --> show the cursor
 *
 * Without a terminal that has told its size (run=, a script) frames follow each other as plain text: one,
 * unless count= says how many, as nobody is there to leave.
 *
 * A frame is put together in a buffer and goes to the console in one piece.
 *
 * Source: ECMA-48: ED; DEC's private mode 25 hides the cursor.
 */
#include <kernel/top.h>

#include <base/errno.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>

#include "commands.h"

#define EVERY_MIN_MS 50
#define EVERY_MAX_MS 60000
#define EVERY_MS     1000
#define MAX_LINES    60
#define FRAME_BYTES  (MAX_LINES * 200)

#define ESC          "\x1b["
#define ENTER_SCREEN ESC "?25l" ESC "2J"
#define SHOW_CURSOR  ESC "?25h"

struct top_request {
	u64 every_ms, count; /* count 0: until somebody leaves */
	bool terminal;
};

static int parse_top(int argc, char **argv, struct top_request *r)
{
	bool counted = false;
	u32 on;

	*r = (struct top_request){.every_ms = EVERY_MS, .terminal = monitor_editor.rows > 0};
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (strncmp(word, "every=", 6) == 0) {
			if (!parse_u64(word + 6, &r->every_ms) || r->every_ms < EVERY_MIN_MS ||
			    r->every_ms > EVERY_MAX_MS)
				return command_bad(word, "'%.32s': allowed is %d..%d", word,
						   EVERY_MIN_MS, EVERY_MAX_MS);
		} else if (strncmp(word, "count=", 6) == 0) {
			counted = true;
			if (!parse_u64(word + 6, &r->count) || r->count == 0)
				return command_bad(word, "'%.32s': expected a number above 0",
						   word);
		} else if (strncmp(word, "color=", 6) == 0) {
			if (!parse_choice(word + 6, "off|on", &on))
				return command_bad(word, "'%.32s': color= is off or on", word);
			r->terminal = on;
		} else {
			return command_bad(word,
					   "'%.32s': expected every=MS, count=N or color=", word);
		}
	}
	/* Whoever is no terminal cannot type q either. */
	if (!r->terminal && !counted)
		r->count = 1;
	return 0;
}

static void show_frame(const struct top_request *r)
{
	static char text[FRAME_BYTES]; /* of the monitor's thread; too large for its stack */
	u32 lines = monitor_editor.rows ? monitor_editor.rows : SCREEN_LINES;
	struct screen screen;

	screen_start(&screen, text, sizeof(text), r->terminal);
	top_frame(&screen, MIN(lines, (u32)MAX_LINES), (u32)r->every_ms);
	if (r->terminal) {
		console_write(text);
	} else {
		kprint(text);
		kprint("\n");
	}
}

/* Waits for the next frame's time. False: somebody wants to leave. Another key: at once. */
static bool wait_for_frame(const struct top_request *r)
{
	int key = monitor_wait_key((u32)r->every_ms);

	return key != 'q' && key != 'Q' && !monitor_interrupted();
}

int command_top(int argc, char **argv)
{
	struct top_request request;

	if (parse_top(argc, argv, &request) != 0)
		return -EINVAL;
	if (request.terminal)
		console_write(ENTER_SCREEN);
	top_begin();
	show_frame(&request);
	for (u64 frame = 1; request.count == 0 || frame < request.count; frame++) {
		if (!wait_for_frame(&request))
			break;
		show_frame(&request);
	}
	if (request.terminal)
		console_write(SHOW_CURSOR "\n");
	return 0;
}

const char *complete_top(u32 word, u32 i)
{
	static const char *const words[] = {"every=", "count=", "color=off", "color=on"};

	(void)word;
	return i < ARRAY_SIZE(words) ? words[i] : NULL;
}
