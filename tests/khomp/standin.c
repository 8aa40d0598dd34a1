/*
 * A stand-in for Khomp's channel driver, for tests only. It is not Khomp's software and drives no hardware.
 *
 * It gives Asterisk a channel type "Khomp" and the console commands of chan_khomp that the product reads, honours the
 * allocation strings and group definitions of khomp.conf, and writes which channel each call took. The telephone network
 * behind its channels is played by a test (tests/khomp/network.py) over a socket of packets: one connection per call.
 *
 *   DATADIR/khomp_hardware       a line per board: index;model;serial;channels;links
 *   DATADIR/khomp_network.sock   the test listens here for calls that leave
 *   DATADIR/khomp_lines.sock     the stand-in listens here for calls that arrive
 *   LOGDIR/khomp_channels.log    "out b0c2 33334444 orig=4830139018" per call that took a channel
 *
 * A packet is one byte of kind and its text or 20 ms of A-law audio:
 *   D "b0c2 33334444 orig=…" a call leaves     I "b0c1 4830139018 48999990000" a call arrives ("-" for no number)
 *   R ringing   U answered   H "17" ended with this cause   K "5" a key   A audio
 *
 * What the real driver does and no public source says is decided here and marked "assumed".
 */
#define AST_MODULE "chan_khomp"
#define AST_MODULE_SELF_SYM __internal_chan_khomp_self

#include "asterisk.h"

#include <ctype.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "asterisk/causes.h"
#include "asterisk/channel.h"
#include "asterisk/cli.h"
#include "asterisk/config.h"
#include "asterisk/format_cache.h"
#include "asterisk/lock.h"
#include "asterisk/module.h"
#include "asterisk/musiconhold.h"
#include "asterisk/paths.h"
#include "asterisk/pbx.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/utils.h"

#define MOST_BOARDS 8
#define MOST_CHANNELS 240
#define MOST_GROUPS 64
#define PACKET 1024

struct line {
	int board, number;
	struct ast_channel *owner;
	int fd;
	int is_alarmed;
	unsigned int outgoing_count; /* in memory, from zero at each start: what "*" looks at */
	char account[80], context[80];
	unsigned char buffer[AST_FRIENDLY_OFFSET + PACKET];
	struct ast_frame frame;
};

static struct board {
	char model[40];
	int serial, channel_count, link_count, is_link_down[8];
	struct line lines[MOST_CHANNELS];
} boards[MOST_BOARDS];
static int board_count;
static struct { char name[80], allocation[2048], context[80]; } groups[MOST_GROUPS];
static int group_count;
static unsigned int call_number;
static int listener = -1;
static pthread_t listening = AST_PTHREADT_NULL;
static struct ast_config *loaded;
AST_MUTEX_DEFINE_STATIC(guard);

static struct ast_channel_tech khomp_tech;

/* ---------------------------------------------------------------------------------------------------- allocation */

struct found { struct line *lines[MOST_BOARDS * MOST_CHANNELS]; int count, is_fair; };

static int add_range(struct found *found, int board, int first, int last, int downwards)
{
	int at;
	if (board >= board_count || !boards[board].channel_count) {
		return -1;
	}
	last = MIN(last, boards[board].channel_count - 1); /* the upper end is clipped */
	for (at = 0; at <= last - first; at++) {
		found->lines[found->count++] = &boards[board].lines[downwards ? last - at : first + at];
	}
	return 0;
}

static int add_atom(struct found *found, const char *text, int may_be_fair);

static int add_all(struct found *found, const char *text, int may_be_fair)
{
	char *copy = ast_strdupa(text), *atom;
	copy = ast_strip(copy);
	if (*copy == '*' && may_be_fair) { /* only at the very start */
		found->is_fair = 1;
		copy = ast_skip_blanks(copy + 1);
	}
	while ((atom = strsep(&copy, "+"))) {
		if (add_atom(found, ast_strip(atom), may_be_fair)) {
			return -1;
		}
		may_be_fair = 0;
	}
	return 0;
}

static int add_atom(struct found *found, const char *text, int may_be_fair)
{
	int board, first, last, used = 0, at;
	int downwards = *text == 'B' || *text == 'S';
	if (tolower(*text) == 'g') {
		for (at = 0; at < group_count; at++) {
			if (!strcmp(groups[at].name, text + 1)) {
				return add_all(found, groups[at].allocation, may_be_fair);
			}
		}
		return -1;
	}
	if (tolower(*text) != 'b' && tolower(*text) != 's') {
		return -1;
	}
	if (sscanf(text + 1, "%30d%n", &board, &used) != 1) {
		return -1;
	}
	if (tolower(*text) == 's') {
		for (at = 0; at < board_count && boards[at].serial != board; at++) {
			continue;
		}
		board = at;
	}
	text += 1 + used;
	if (!*text) {
		return add_range(found, board, 0, MOST_CHANNELS, downwards);
	}
	if (tolower(*text) == 'l' && sscanf(text + 1, "%30d%n", &first, &used) == 1 && !text[1 + used]) {
		return add_range(found, board, first * 30, first * 30 + 29, downwards);
	}
	if (tolower(*text) == 'c' && sscanf(text + 1, "%30d-%30d%n", &first, &last, &used) == 2 && !text[1 + used]) {
		return add_range(found, board, first, last, downwards);
	}
	if (tolower(*text) == 'c' && sscanf(text + 1, "%30d%n", &first, &used) == 1 && !text[1 + used]) {
		return add_range(found, board, first, first, downwards);
	}
	return -1;
}

/* The free channel an allocation gives now; with "*" the one of all that took the fewest calls, the first of equals. */
static struct line *chosen(const char *allocation, int *cause)
{
	struct found *found = ast_calloc(1, sizeof(*found));
	struct line *best = NULL;
	int at, alive = 0;
	*cause = AST_CAUSE_NO_ROUTE_DESTINATION;
	if (found && !add_all(found, allocation, 1)) {
		for (at = 0; at < found->count; at++) {
			struct line *line = found->lines[at];
			alive += !line->is_alarmed;
			if (line->owner || line->is_alarmed) {
				continue;
			}
			if (!best || (found->is_fair && line->outgoing_count < best->outgoing_count)) {
				best = line;
			}
		}
		/* assumed: busy when every channel is taken, as chan_dahdi says; congestion when none is in service */
		*cause = alive ? AST_CAUSE_BUSY : AST_CAUSE_NORMAL_CIRCUIT_CONGESTION;
	}
	ast_free(found);
	return best;
}

/* ------------------------------------------------------------------------------------------------------- channels */

static void tell(struct line *line, char kind, const void *text, size_t length)
{
	unsigned char packet[PACKET];
	packet[0] = kind;
	length = MIN(length, sizeof(packet) - 1);
	memcpy(packet + 1, text, length);
	if (line->fd >= 0 && send(line->fd, packet, length + 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN) {
		ast_debug(1, "the network is gone: %s\n", strerror(errno));
	}
}

static void write_log(const char *direction, struct line *line, const char *rest)
{
	char path[PATH_MAX];
	FILE *file;
	snprintf(path, sizeof(path), "%s/khomp_channels.log", ast_config_AST_LOG_DIR);
	if ((file = fopen(path, "a"))) {
		fprintf(file, "%s b%dc%d %s\n", direction, line->board, line->number, rest);
		fclose(file);
	}
}

static struct ast_channel *new_channel(struct line *line, int state, const char *caller, const char *exten, const char *context,
	const struct ast_assigned_ids *ids, const struct ast_channel *requestor)
{
	/* accountcode as chan_dahdi does it: the channel has it from its first moment (assumed) */
	struct ast_channel *chan = ast_channel_alloc(1, state, caller, "", line->account, exten, context, ids, requestor, 0,
		"Khomp/B%dC%d-%08x", line->board, line->number, call_number++);
	if (!chan) {
		return NULL;
	}
	ast_channel_stage_snapshot(chan);
	ast_channel_tech_set(chan, &khomp_tech);
	ast_channel_tech_pvt_set(chan, line);
	ast_channel_nativeformats_set(chan, khomp_tech.capabilities);
	ast_channel_set_writeformat(chan, ast_format_alaw);
	ast_channel_set_rawwriteformat(chan, ast_format_alaw);
	ast_channel_set_readformat(chan, ast_format_alaw);
	ast_channel_set_rawreadformat(chan, ast_format_alaw);
	ast_channel_language_set(chan, "pt_BR");
	ast_channel_set_fd(chan, 0, line->fd);
	ast_module_ref(ast_module_info->self);
	line->owner = chan;
	ast_channel_stage_snapshot_done(chan);
	ast_channel_unlock(chan);
	return chan;
}

static struct ast_channel *khomp_request(const char *type, struct ast_format_cap *cap, const struct ast_assigned_ids *ids,
	const struct ast_channel *requestor, const char *addr, int *cause)
{
	char *allocation = ast_strdupa(addr);
	struct ast_channel *chan = NULL;
	struct line *line;
	allocation = strsep(&allocation, "/");
	ast_mutex_lock(&guard);
	if ((line = chosen(allocation, cause))) {
		line->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (!(chan = new_channel(line, AST_STATE_DOWN, NULL, NULL, NULL, ids, requestor))) {
			close(line->fd);
			line->fd = -1;
		}
	}
	ast_mutex_unlock(&guard);
	return chan;
}

static int khomp_call(struct ast_channel *chan, const char *dest, int timeout)
{
	struct line *line = ast_channel_tech_pvt(chan);
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	char text[256], *rest = ast_strdupa(dest), *number, *options;
	strsep(&rest, "/");
	number = S_OR(strsep(&rest, "/"), "");
	options = S_OR(rest, "-");
	snprintf(text, sizeof(text), "%s %s", S_OR(number, "-"), options);
	line->outgoing_count++;
	write_log("out", line, text);
	snprintf(where.sun_path, sizeof(where.sun_path), "%s/khomp_network.sock", ast_config_AST_DATA_DIR);
	if (connect(line->fd, (struct sockaddr *) &where, sizeof(where))) {
		ast_channel_hangupcause_set(chan, AST_CAUSE_NETWORK_OUT_OF_ORDER);
		return -1;
	}
	snprintf(text, sizeof(text), "b%dc%d %s %s", line->board, line->number, S_OR(number, "-"), options);
	tell(line, 'D', text, strlen(text));
	ast_setstate(chan, AST_STATE_DIALING);
	return 0;
}

static int khomp_hangup(struct ast_channel *chan)
{
	struct line *line = ast_channel_tech_pvt(chan);
	char cause[8];
	if (!line) {
		return 0;
	}
	snprintf(cause, sizeof(cause), "%d", ast_channel_hangupcause(chan));
	ast_mutex_lock(&guard);
	tell(line, 'H', cause, strlen(cause));
	close(line->fd);
	line->fd = -1;
	line->owner = NULL;
	ast_channel_set_fd(chan, 0, -1);
	ast_channel_tech_pvt_set(chan, NULL);
	ast_mutex_unlock(&guard);
	ast_module_unref(ast_module_info->self);
	return 0;
}

static int khomp_answer(struct ast_channel *chan)
{
	tell(ast_channel_tech_pvt(chan), 'U', "", 0);
	ast_setstate(chan, AST_STATE_UP);
	return 0;
}

static struct ast_frame *khomp_read(struct ast_channel *chan)
{
	struct line *line = ast_channel_tech_pvt(chan);
	unsigned char *packet = line->buffer + AST_FRIENDLY_OFFSET - 1;
	ssize_t length = recv(line->fd, packet, PACKET, MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) {
		return &ast_null_frame;
	}
	if (length <= 0) {
		return NULL;
	}
	packet[MIN(length, PACKET - 1)] = packet[0] == 'A' ? packet[MIN(length, PACKET - 1)] : '\0';
	memset(&line->frame, 0, sizeof(line->frame));
	line->frame.src = "Khomp stand-in";
	switch (packet[0]) {
	case 'A':
		line->frame.frametype = AST_FRAME_VOICE;
		line->frame.subclass.format = ast_format_alaw;
		line->frame.data.ptr = packet + 1;
		line->frame.datalen = line->frame.samples = length - 1;
		line->frame.offset = AST_FRIENDLY_OFFSET;
		return &line->frame;
	case 'K':
		line->frame.frametype = AST_FRAME_DTMF;
		line->frame.subclass.integer = packet[1];
		line->frame.len = 100;
		return &line->frame;
	case 'R':
		ast_setstate(chan, AST_STATE_RINGING);
		line->frame.frametype = AST_FRAME_CONTROL;
		line->frame.subclass.integer = AST_CONTROL_RINGING;
		return &line->frame;
	case 'U':
		ast_setstate(chan, AST_STATE_UP);
		line->frame.frametype = AST_FRAME_CONTROL;
		line->frame.subclass.integer = AST_CONTROL_ANSWER;
		return &line->frame;
	case 'H':
		ast_channel_hangupcause_set(chan, atoi((char *) packet + 1));
		if (ast_channel_state(chan) != AST_STATE_UP && atoi((char *) packet + 1) == AST_CAUSE_USER_BUSY) {
			line->frame.frametype = AST_FRAME_CONTROL;
			line->frame.subclass.integer = AST_CONTROL_BUSY;
			return &line->frame;
		}
		if (ast_channel_state(chan) != AST_STATE_UP && atoi((char *) packet + 1) != AST_CAUSE_NORMAL_CLEARING) {
			line->frame.frametype = AST_FRAME_CONTROL;
			line->frame.subclass.integer = AST_CONTROL_CONGESTION;
			return &line->frame;
		}
		return NULL;
	}
	return &ast_null_frame;
}

static int khomp_write(struct ast_channel *chan, struct ast_frame *frame)
{
	struct line *line = ast_channel_tech_pvt(chan);
	if (line && frame->frametype == AST_FRAME_VOICE) {
		tell(line, 'A', frame->data.ptr, frame->datalen);
	}
	return 0;
}

static int khomp_indicate(struct ast_channel *chan, int condition, const void *data, size_t length)
{
	switch (condition) {
	case AST_CONTROL_RINGING:
		tell(ast_channel_tech_pvt(chan), 'R', "", 0);
		return 0;
	case AST_CONTROL_HOLD:
		ast_moh_start(chan, data, NULL);
		return 0;
	case AST_CONTROL_UNHOLD:
		ast_moh_stop(chan);
		return 0;
	case AST_CONTROL_PROGRESS:
	case AST_CONTROL_PROCEEDING:
	case AST_CONTROL_SRCUPDATE:
	case AST_CONTROL_SRCCHANGE:
	case AST_CONTROL_CONNECTED_LINE:
	case -1:
		return 0;
	}
	return -1;
}

static int khomp_fixup(struct ast_channel *before, struct ast_channel *now)
{
	struct line *line = ast_channel_tech_pvt(now);
	if (line) {
		ast_mutex_lock(&guard);
		line->owner = now;
		ast_mutex_unlock(&guard);
	}
	return 0;
}

static int khomp_digit_begin(struct ast_channel *chan, char digit)
{
	return 0;
}

static int khomp_digit_end(struct ast_channel *chan, char digit, unsigned int duration)
{
	tell(ast_channel_tech_pvt(chan), 'K', &digit, 1);
	return 0;
}

static struct ast_channel_tech khomp_tech = {
	.type = "Khomp",
	.description = "Stand-in for Khomp's channels, for tests",
	.requester = khomp_request,
	.call = khomp_call,
	.hangup = khomp_hangup,
	.answer = khomp_answer,
	.read = khomp_read,
	.write = khomp_write,
	.indicate = khomp_indicate,
	.fixup = khomp_fixup,
	.send_digit_begin = khomp_digit_begin,
	.send_digit_end = khomp_digit_end,
};

/* ------------------------------------------------------------------------------------------------- calls that arrive */

static void arrive(int fd)
{
	char packet[PACKET] = "", number[80], caller[80];
	int board, at;
	struct line *line = NULL;
	struct ast_channel *chan = NULL;
	ssize_t length = recv(fd, packet, sizeof(packet) - 1, 0);
	const char *context;
	if (length > 1 && sscanf(packet, "Ib%30dc%30d %79s %79s", &board, &at, number, caller) == 4
		&& board < board_count && at < boards[board].channel_count) {
		line = &boards[board].lines[at];
	}
	ast_mutex_lock(&guard);
	if (line && !line->owner) {
		line->fd = fd;
		context = S_OR(line->context, ast_variable_retrieve(loaded, "globals", boards[board].link_count ? "context-digital" : "context-fxo"));
		write_log("in", line, number);
		chan = new_channel(line, AST_STATE_RING, strcmp(caller, "-") ? caller : "", strcmp(number, "-") ? number : "s",
			S_OR(context, "default"), NULL, NULL);
	}
	ast_mutex_unlock(&guard);
	if (!chan || ast_pbx_start(chan)) {
		ast_log(LOG_ERROR, "a call that arrived was lost: %s\n", packet);
		if (chan) {
			ast_hangup(chan);
		} else {
			close(fd);
		}
	}
}

static void *listen_for_calls(void *unused)
{
	int fd;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		arrive(fd);
	}
	return NULL;
}

static int start_listening(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	snprintf(where.sun_path, sizeof(where.sun_path), "%s/khomp_lines.sock", ast_config_AST_DATA_DIR);
	unlink(where.sun_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return bind(listener, (struct sockaddr *) &where, sizeof(where)) || listen(listener, 16)
		|| ast_pthread_create(&listening, NULL, listen_for_calls, NULL);
}

/* ---------------------------------------------------------------------------------------------------- configuration */

static void read_hardware(void)
{
	char path[PATH_MAX], row[256];
	int index, at;
	FILE *file;
	snprintf(path, sizeof(path), "%s/khomp_hardware", ast_config_AST_DATA_DIR);
	if (!(file = fopen(path, "r"))) {
		return;
	}
	while (fgets(row, sizeof(row), file)) {
		struct board board = { .serial = 0 };
		if (sscanf(row, "%30d;%39[^;];%30d;%30d;%30d", &index, board.model, &board.serial, &board.channel_count, &board.link_count) == 5
			&& index < MOST_BOARDS && board.channel_count <= MOST_CHANNELS) {
			for (at = 0; at < board.channel_count; at++) {
				board.lines[at] = (struct line) { .board = index, .number = at, .fd = -1 };
			}
			boards[index] = board;
			board_count = MAX(board_count, index + 1);
		}
	}
	fclose(file);
}

static void read_groups(struct ast_config *config)
{
	struct ast_variable *option;
	int at;
	group_count = 0;
	for (option = ast_variable_browse(config, "groups"); option && group_count < MOST_GROUPS; option = option->next) {
		char *value = ast_strdupa(option->value), *allocation = strsep(&value, ":");
		struct found *found = ast_calloc(1, sizeof(*found));
		ast_copy_string(groups[group_count].name, option->name, sizeof(groups[0].name));
		ast_copy_string(groups[group_count].allocation, ast_strip(allocation), sizeof(groups[0].allocation));
		ast_copy_string(groups[group_count].context, value ? ast_strip(value) : "", sizeof(groups[0].context));
		if (add_all(found, groups[group_count].allocation, 1)) {
			ast_log(LOG_WARNING, "group %s names channels that are not there: %s\n", option->name, option->value);
		}
		for (at = 0; at < found->count && value; at++) {
			ast_copy_string(found->lines[at]->context, groups[group_count].context, sizeof(found->lines[at]->context));
		}
		ast_free(found);
		group_count++;
	}
}

static int read_config(int again)
{
	struct ast_flags flags = { 0 };
	struct ast_config *config = ast_config_load("khomp.conf", flags);
	const char *name = NULL, *account;
	int at, other;
	if (!config || config == CONFIG_STATUS_FILEINVALID) {
		ast_log(LOG_ERROR, "khomp.conf cannot be read\n");
		return -1;
	}
	ast_mutex_lock(&guard);
	for (at = 0; at < board_count; at++) {
		for (other = 0; other < boards[at].channel_count; other++) {
			boards[at].lines[other].account[0] = boards[at].lines[other].context[0] = '\0';
		}
	}
	read_groups(config);
	while ((name = ast_category_browse(config, name))) {
		if (!strncmp(name, "channels-", 9) && (account = ast_variable_retrieve(config, name, "accountcode"))) {
			struct found *found = ast_calloc(1, sizeof(*found));
			add_all(found, name + 9, 0);
			for (at = 0; at < found->count; at++) {
				ast_copy_string(found->lines[at]->account, account, sizeof(found->lines[at]->account));
			}
			ast_free(found);
		}
	}
	if (loaded) {
		ast_config_destroy(loaded);
	}
	loaded = config;
	ast_mutex_unlock(&guard);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- console */

static const char *kind(struct board *board)
{
	return board->link_count ? "kecs" : strstr(board->model, "FXS") ? "kfxs" : strstr(board->model, "GSM") ? "kgsm" : "kfxs";
}

static void show_channels(int fd)
{
	int at, other;
	for (at = 0; at < board_count; at++) {
		for (other = 0; other < boards[at].channel_count; other++) {
			struct line *line = &boards[at].lines[other];
			const char *call = line->is_alarmed ? "kcsFail" : !line->owner ? "kcsFree" : line->owner && ast_channel_state(line->owner) == AST_STATE_RING ? "kcsIncoming" : "kcsOutgoing";
			const char *state = line->is_alarmed ? (boards[at].link_count ? "LocalFail" : "Disabled") : boards[at].link_count ? (line->owner ? "Busy" : "Free") : "Enable";
			/* as newer versions: a number of three digits and what "asterisk -rx" puts in front of some lines */
			ast_cli(fd, "<K> B%02dC%03d:%s:%s:%s%s\n", at, other, line->owner ? "up" : "unused", call, kind(&boards[at]), state);
		}
	}
}

static char *khomp_cli(struct ast_cli_entry *e, int cmd, struct ast_cli_args *a)
{
	const char *name = NULL;
	struct ast_variable *option;
	int at, link, board, number;
	if (cmd == CLI_INIT) {
		e->command = "khomp";
		e->usage = "Usage: khomp summary|links show|channels show concise, khomp dump config|groups, khomp standin alarm <board> <channel> <yes|no>, khomp standin forget (counters and alarms)\n";
		return NULL;
	}
	if (cmd == CLI_GENERATE) {
		return NULL;
	}
	if (a->argc == 3 && !strcmp(a->argv[1], "summary")) {
		ast_cli(a->fd, "<K> 3.1.0;stand-in;7\n<K> chan_khomp stand-in for tests\n");
		for (at = 0; at < board_count; at++) {
			if (boards[at].link_count) {
				ast_cli(a->fd, "<K> %02d;%s;%04d;%d;%d\n", at, boards[at].model, boards[at].serial, boards[at].channel_count, boards[at].link_count);
			} else {
				ast_cli(a->fd, "<K> %02d;%s;%04d;%d;00:1a:2b:3c:4d:%02x;192.0.2.%d;Up\n", at, boards[at].model, boards[at].serial, boards[at].channel_count, at, 10 + at);
			}
		}
	} else if (a->argc == 4 && !strcmp(a->argv[1], "channels")) {
		show_channels(a->fd);
	} else if (a->argc == 4 && !strcmp(a->argv[1], "links")) {
		for (at = 0; at < board_count; at++) {
			for (link = 0; link < boards[at].link_count; link++) {
				ast_cli(a->fd, "<K> B%02dL%02d:kes%s\n", at, link, boards[at].is_link_down[link] ? "SignalLost" : "Ok");
			}
			if (!boards[at].link_count) {
				ast_cli(a->fd, "<K> B%02dLXX:NoLinksAvailable\n", at);
			}
		}
	} else if (a->argc == 3 && !strcmp(a->argv[1], "dump") && !strcmp(a->argv[2], "groups")) {
		for (at = 0; at < group_count; at++) {
			ast_cli(a->fd, "<K> %s = %s:%s\n", groups[at].name, groups[at].allocation, groups[at].context);
		}
	} else if (a->argc == 3 && !strcmp(a->argv[1], "dump") && !strcmp(a->argv[2], "config")) {
		while ((name = ast_category_browse(loaded, name))) {
			ast_cli(a->fd, "<K> [%s]\n", name);
			for (option = ast_variable_browse(loaded, name); option; option = option->next) {
				ast_cli(a->fd, "<K> %s = %s\n", option->name, option->value);
			}
		}
	} else if (a->argc == 3 && !strcmp(a->argv[2], "forget")) {
		for (at = 0; at < board_count; at++) {
			for (number = 0; number < boards[at].channel_count; number++) {
				boards[at].lines[number].outgoing_count = boards[at].lines[number].is_alarmed = 0;
			}
			memset(boards[at].is_link_down, 0, sizeof(boards[at].is_link_down));
		}
	} else if (a->argc == 6 && !strcmp(a->argv[2], "alarm") && (board = atoi(a->argv[3])) < board_count
		&& (number = atoi(a->argv[4])) < boards[board].channel_count) {
		boards[board].lines[number].is_alarmed = ast_true(a->argv[5]);
		if (boards[board].link_count) {
			boards[board].is_link_down[number / 30] = ast_true(a->argv[5]);
		}
	} else {
		return CLI_SHOWUSAGE;
	}
	return CLI_SUCCESS;
}

static struct ast_cli_entry commands[] = { AST_CLI_DEFINE(khomp_cli, "Stand-in for Khomp's commands") };

/* ----------------------------------------------------------------------------------------------------------- module */

static int reload_module(void)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/khomp_forgetful", ast_config_AST_DATA_DIR);
	if (!access(path, F_OK)) {
		return 0; /* a test wants a driver that reads nothing again until it is started anew */
	}
	return read_config(1);
}

static int unload_module(void)
{
	return -1;
}

static int load_module(void)
{
	if (!(khomp_tech.capabilities = ast_format_cap_alloc(AST_FORMAT_CAP_FLAG_DEFAULT))) {
		return AST_MODULE_LOAD_DECLINE;
	}
	ast_format_cap_append(khomp_tech.capabilities, ast_format_alaw, 0);
	read_hardware();
	if (read_config(0) || ast_channel_register(&khomp_tech) || start_listening()) {
		return AST_MODULE_LOAD_DECLINE;
	}
	ast_cli_register_multiple(commands, ARRAY_LEN(commands));
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_LOAD_ORDER, "Stand-in for Khomp channels (tests)",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = load_module,
	.unload = unload_module,
	.reload = reload_module,
	.load_pri = AST_MODPRI_CHANNEL_DRIVER,
);
