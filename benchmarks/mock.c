// The provider of the benchmarks: answers OpenAI's chat completions, Anthropic's messages and Gemini's
// generateContent from one thread, as fast as it can. The path tells which.
//
// The model's name steers the answer; options may stand anywhere in it:
//   -cN   N content chunks in a stream     (default 64)
//   -dMS  milliseconds between chunks      (default 0: one write each, no pause)
//   -wMS  milliseconds before the answer   (default 0)
// for example "mock-c64-d5". Every content chunk holds a mark "@T<19 digits>@": CLOCK_MONOTONIC nanoseconds at
// its write, from which the load generator on the same machine gets the chunk's transit time.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_HEAD 65536
#define LATEST_STEPS 50 // a stream that is further behind than this goes on from now

typedef enum { OPENAI, ANTHROPIC, GEMINI } wire;

typedef struct conn {
	wire wire;
	int fd, closing, want_out;
	char *in;
	size_t in_len, in_cap;
	char *out;
	size_t out_len, out_off, out_cap;
	int active, stream, total, sent; // the answer in progress
	uint64_t due, step;
	char model[128];
	struct conn *prev, *next; // in the ring of timers
	int listed;
	struct conn *next_dead;
} conn;

static int ep;
static conn timers;
static conn *dead;
static uint64_t n_requests;

static uint64_t now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void timer_add(conn *c) {
	if (c->listed) return;
	c->listed = 1;
	c->prev = timers.prev;
	c->next = &timers;
	timers.prev->next = c;
	timers.prev = c;
}

static void timer_remove(conn *c) {
	if (!c->listed) return;
	c->listed = 0;
	c->prev->next = c->next;
	c->next->prev = c->prev;
}

static void close_conn(conn *c) {
	if (c->fd < 0) return;
	timer_remove(c);
	close(c->fd);
	c->fd = -1;
	c->next_dead = dead; // freed after the events at hand, one of which may still point here
	dead = c;
}

static void watch(conn *c, uint32_t events) {
	struct epoll_event e = {.events = events, .data.ptr = c};
	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void put(conn *c, const char *p, size_t n) {
	if (c->out_len + n > c->out_cap) {
		size_t cap = c->out_cap ? c->out_cap : 4096;
		while (cap < c->out_len + n) cap *= 2;
		c->out = realloc(c->out, cap);
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_len, p, n);
	c->out_len += n;
}

static void put_chunk(conn *c, const char *p, int n) {
	char size[16];
	put(c, size, snprintf(size, sizeof size, "%x\r\n", n));
	put(c, p, n);
	put(c, "\r\n", 2);
}

static void flush_out(conn *c) {
	while (c->out_off < c->out_len) {
		ssize_t w = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
		if (w > 0) {
			c->out_off += w;
		} else if (w < 0 && errno == EAGAIN) {
			if (!c->want_out) watch(c, EPOLLIN | EPOLLOUT);
			c->want_out = 1;
			return;
		} else {
			close_conn(c);
			return;
		}
	}
	c->out_off = c->out_len = 0;
	if (c->want_out) watch(c, EPOLLIN);
	c->want_out = 0;
	if (c->closing && !c->active) close_conn(c);
}

static const char TEXT[] =
	"The gateway accepts a request, checks the key, chooses a deployment and relays the answer. "
	"Each step has a cost, and the sum of these costs is what a user sees as added latency. "
	"Most of it is parsing, header handling and the event loop, not the model's name. "
	"Measure first, then cut what is not needed; keep what makes the service safe to run.";
static const char *WORDS[] = {" gateway", " relays", " the",   " answer", " of",     " a",     " model", ",",
			      " chunk",   " by",     " chunk", " and",    " counts", " tokens", "."};
#define N_WORDS (int)(sizeof WORDS / sizeof *WORDS)
#define DETAILS                                                                                                        \
	"\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":"            \
	"{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}"
#define CHUNK_START                                                                                                    \
	"data: {\"id\":\"chatcmpl-B%016llx\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"             \
	"\"model\":\"%s\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_50cad350e4\",\"choices\":"
#define ID (unsigned long long)n_requests, c->model

static void put_head(conn *c, const char *type, long length) {
	char b[640];
	int n = snprintf(b, sizeof b,
			 "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: %s\r\n"
			 "x-request-id: req_%016llx\r\nopenai-processing-ms: 12\r\n"
			 "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
			 "x-ratelimit-limit-tokens: 2000000\r\nx-ratelimit-remaining-tokens: 1999970\r\n",
			 type, (unsigned long long)n_requests);
	put(c, b, n);
	if (length >= 0)
		n = snprintf(b, sizeof b, "Content-Length: %ld\r\n\r\n", length);
	else
		n = snprintf(b, sizeof b, "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
	put(c, b, n);
}

static int write_whole(conn *c, char *b, size_t size) {
	if (c->wire == ANTHROPIC)
		return snprintf(b, size,
				"{\"id\":\"msg_B%016llx\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\","
				"\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\","
				"\"stop_sequence\":null,\"usage\":{\"input_tokens\":24,\"output_tokens\":64}}",
				ID, TEXT);
	if (c->wire == GEMINI)
		return snprintf(b, size,
				"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%s\"}],\"role\":\"model\"},"
				"\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":24,"
				"\"candidatesTokenCount\":64,\"totalTokenCount\":88},\"modelVersion\":\"%s\","
				"\"responseId\":\"B%016llx\"}",
				TEXT, c->model, (unsigned long long)n_requests);
	return snprintf(b, size,
			 "{\"id\":\"chatcmpl-B%016llx\",\"object\":\"chat.completion\",\"created\":1760000000,"
			 "\"model\":\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
			 "\"content\":\"%s\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
			 "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":64,"
			 "\"total_tokens\":88," DETAILS "},\"service_tier\":\"default\","
			 "\"system_fingerprint\":\"fp_50cad350e4\"}",
			 ID, TEXT);
}

static void put_whole(conn *c) {
	char b[3072];
	int n = write_whole(c, b, sizeof b);
	put_head(c, "application/json", n);
	put(c, b, n);
}

static void put_first(conn *c) {
	char b[1024];
	put_head(c, "text/event-stream; charset=utf-8", -1);
	if (c->wire == GEMINI) return; // every event of its streams has content
	if (c->wire == ANTHROPIC) {
		put_chunk(c, b,
			  snprintf(b, sizeof b,
				   "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
				   "\"msg_B%016llx\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\","
				   "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
				   "\"input_tokens\":24,\"output_tokens\":1}}}\n\n"
				   "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
				   "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
				   ID));
		return;
	}
	put_chunk(c, b,
		  snprintf(b, sizeof b,
			   CHUNK_START "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
				       "\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],"
				       "\"usage\":null}\n\n",
			   ID));
}

static int write_content(conn *c, char *b, size_t size) {
	const char *word = WORDS[c->sent % N_WORDS];
	unsigned long long now = now_ns();
	if (c->wire == ANTHROPIC)
		return snprintf(b, size,
				"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
				"\"delta\":{\"type\":\"text_delta\",\"text\":\"%s@T%019llu@\"}}\n\n",
				word, now);
	if (c->wire == GEMINI)
		return snprintf(b, size,
				"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%s@T%019llu@\"}],\"role\":"
				"\"model\"},\"index\":0%s}],\"usageMetadata\":{\"promptTokenCount\":24,"
				"\"candidatesTokenCount\":%d,\"totalTokenCount\":%d},\"modelVersion\":\"%s\","
				"\"responseId\":\"B%016llx\"}\r\n\r\n",
				word, now, c->sent + 1 == c->total ? ",\"finishReason\":\"STOP\"" : "", c->sent + 1,
				c->sent + 25, c->model, (unsigned long long)n_requests);
	return snprintf(b, size,
			CHUNK_START "[{\"index\":0,\"delta\":{\"content\":\"%s@T%019llu@\"},\"logprobs\":null,"
				    "\"finish_reason\":null}],\"usage\":null}\n\n",
			ID, word, now);
}

static void put_content(conn *c) {
	char b[1024];
	put_chunk(c, b, write_content(c, b, sizeof b));
	c->sent++;
}

static void put_last(conn *c) {
	char b[1536];
	if (c->wire == ANTHROPIC)
		put_chunk(c, b,
			  snprintf(b, sizeof b,
				   "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
				   "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
				   "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%d}}\n\n"
				   "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
				   c->total));
	if (c->wire != OPENAI) {
		put(c, "0\r\n\r\n", 5);
		return;
	}
	put_chunk(c, b,
		  snprintf(b, sizeof b,
			   CHUNK_START "[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
				       "\"usage\":null}\n\n",
			   ID));
	put_chunk(c, b,
		  snprintf(b, sizeof b,
			   CHUNK_START "[],\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":%d,"
				       "\"total_tokens\":%d," DETAILS "}}\n\ndata: [DONE]\n\n",
			   ID, c->total, c->total + 24));
	put(c, "0\r\n\r\n", 5);
}

static void finish(conn *c) {
	c->active = 0;
	timer_remove(c);
	flush_out(c);
}

// Goes on with an answer that is due.
static void step(conn *c, uint64_t t) {
	if (!c->stream) {
		put_whole(c);
		finish(c);
		return;
	}
	if (c->sent == 0) put_first(c);
	do {
		put_content(c);
		if (c->sent >= c->total) {
			put_last(c);
			finish(c);
			return;
		}
		flush_out(c);
		if (c->fd < 0) return;
		if (c->want_out) { // a slow reader: go on when it has read
			c->due = t;
			timer_add(c);
			return;
		}
	} while (!c->step);
	c->due += c->step;
	if (c->due + LATEST_STEPS * c->step < t) c->due = t;
	timer_add(c);
}

static int option(const char *model, char letter, int otherwise) {
	for (const char *p = model; (p = strchr(p, '-')); p++)
		if (p[1] == letter && p[2] >= '0' && p[2] <= '9') return atoi(p + 2);
	return otherwise;
}

static const char *after_key(const char *body, size_t n, const char *key) {
	const char *p = memmem(body, n, key, strlen(key)), *end = body + n;
	if (!p) return NULL;
	for (p += strlen(key); p < end && (*p == ' ' || *p == ':' || *p == '\t' || *p == '\n'); p++) {}
	return p;
}

static void answer(conn *c, const char *path, size_t path_len, const char *body, size_t n) {
	static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\","
				     "\"created\":1760000000,\"owned_by\":\"mock\"}]}";
	const char *end = body + n, *p;
	n_requests++;
	if (memmem(path, path_len, "/messages", 9))
		c->wire = ANTHROPIC;
	else if (memmem(path, path_len, "enerateContent", 14))
		c->wire = GEMINI;
	else if (memmem(path, path_len, "/completions", 12))
		c->wire = OPENAI;
	else {
		put_head(c, "application/json", sizeof models - 1);
		put(c, models, sizeof models - 1);
		flush_out(c);
		return;
	}
	c->model[0] = 0;
	if (c->wire == GEMINI) {
		const char *name = memmem(path, path_len, "/models/", 8);
		const char *colon = name ? memchr(name, ':', path + path_len - name) : NULL;
		size_t length = colon ? (size_t)(colon - name - 8) : 0;
		if (length >= sizeof c->model) length = sizeof c->model - 1;
		if (name) memcpy(c->model, name + 8, length);
		c->model[length] = 0;
	} else if ((p = after_key(body, n, "\"model\"")) && p < end && *p == '"') {
		const char *q = memchr(p + 1, '"', end - p - 1);
		size_t length = q ? (size_t)(q - p - 1) : 0;
		if (length >= sizeof c->model) length = sizeof c->model - 1;
		memcpy(c->model, p + 1, length);
		c->model[length] = 0;
	}
	p = after_key(body, n, "\"stream\"");
	c->stream = p && end - p >= 4 && !memcmp(p, "true", 4);
	if (c->wire == GEMINI) c->stream = memmem(path, path_len, ":stream", 7) != NULL;
	c->total = option(c->model, 'c', 64);
	if (c->total < 1) c->total = 1;
	if (c->total > 100000) c->total = 100000;
	c->step = (uint64_t)option(c->model, 'd', 0) * 1000000ull;
	c->sent = 0;
	c->active = 1;
	uint64_t t = now_ns(), wait = (uint64_t)option(c->model, 'w', 0) * 1000000ull;
	c->due = t + wait;
	if (wait)
		timer_add(c);
	else
		step(c, t);
}

// Joins a chunked body in place. Its length, or -1 when there is more to come; `*used` is set to its raw length.
static long join_chunks(char *body, size_t n, size_t *used) {
	char *r = body, *end = body + n;
	long joined = 0;
	// Two passes: the first only looks whether all is there, as the second overwrites what it reads.
	for (int write = 0; write < 2; write++) {
		r = body;
		joined = 0;
		for (;;) {
			char *nl = memchr(r, '\n', end - r);
			if (!nl) return -1;
			long size = strtol(r, NULL, 16);
			r = nl + 1;
			if (size < 0 || end - r < size + 2) return -1;
			if (write) memmove(body + joined, r, size);
			joined += size;
			r += size + 2;
			if (!size) break;
		}
	}
	*used = r - body;
	return joined;
}

// Answers one request from c->in: 1 answered, 0 more is needed, -1 not to be understood.
static int take_request(conn *c) {
	char *head_end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
	if (!head_end) return c->in_len > MAX_HEAD ? -1 : 0;
	size_t head = head_end - c->in + 4, used;
	long length = 0;
	int chunked = 0;
	char *path = memchr(c->in, ' ', head);
	char *path_end = path ? memchr(path + 1, ' ', head - (path + 1 - c->in)) : NULL;
	if (!path_end) return -1;
	c->closing = 0;
	for (char *l = memchr(c->in, '\n', head); l && l < head_end; l = memchr(l + 1, '\n', head - (l + 1 - c->in))) {
		if (!strncasecmp(l + 1, "content-length:", 15))
			length = atol(l + 16);
		else if (!strncasecmp(l + 1, "transfer-encoding:", 18))
			chunked = 1;
		else if (!strncasecmp(l + 1, "connection: close", 17))
			c->closing = 1;
	}
	if (chunked) {
		if ((length = join_chunks(c->in + head, c->in_len - head, &used)) < 0) return 0;
		used += head;
	} else {
		if (c->in_len < head + length) return 0;
		used = head + length;
	}
	answer(c, path + 1, path_end - path - 1, c->in + head, length);
	if (c->fd < 0) return -1;
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	return 1;
}

static void take_requests(conn *c) {
	while (c->fd >= 0 && !c->active && c->in_len) {
		int taken = take_request(c);
		if (taken < 0) close_conn(c);
		if (taken <= 0) return;
	}
}

static void on_readable(conn *c) {
	if (c->in_cap - c->in_len < 4096) {
		c->in_cap = c->in_cap ? c->in_cap * 2 : 8192;
		c->in = realloc(c->in, c->in_cap);
	}
	ssize_t r = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
	if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR)) {
		close_conn(c);
		return;
	}
	if (r > 0) c->in_len += r;
	take_requests(c);
}

static void accept_all(int listener) {
	for (int fd, one = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		conn *c = calloc(1, sizeof *c);
		c->fd = fd;
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	}
}

static void run_timers(void) {
	if (timers.next == &timers) return;
	uint64_t t = now_ns();
	for (conn *c = timers.next, *next; c != &timers; c = next) {
		next = c->next;
		if (c->due > t || c->want_out) continue;
		step(c, t);
		take_requests(c);
	}
}

static void bury_dead(void) {
	while (dead) {
		conn *c = dead;
		dead = c->next_dead;
		free(c->in);
		free(c->out);
		free(c);
	}
}

int main(int argc, char **argv) {
	if (argc != 2) {
		fprintf(stderr, "usage: mock PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (void *)&a, sizeof a) || listen(listener, 4096)) {
		perror("bind");
		return 1;
	}
	ep = epoll_create1(0);
	timers.prev = timers.next = &timers;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[512];
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(ep, events, 512, timers.next == &timers ? -1 : 1);
		for (int i = 0; i < n; i++) {
			conn *c = events[i].data.ptr;
			if (!c) {
				accept_all(listener);
				continue;
			}
			if (c->fd >= 0 && events[i].events & EPOLLOUT) flush_out(c);
			if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
		}
		run_timers();
		bury_dead();
	}
}
