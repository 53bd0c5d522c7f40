// The load of the benchmarks: sends one body over and over on N connections, and checks every answer.
//
// One thread, loopback only, bounded in time. A right answer has status 200, the whole text or every mark of
// the stream exactly once and in order, the provider's token count, and the end of its dialect: a gateway that
// is fast because it loses something does not count. The processor time of the gateway's process tree is read
// over exactly the measured window, on its own clocks (nanoseconds, not ticks). Prints one JSON object.
//
//   -u URL   http://127.0.0.1:PORT/PATH        -B FILE  the body
//   -H LINE  a header, repeatable              -f NAME  openai | ollama: how an answer ends
//   -s       streamed                          -n N     output tokens, and marks of a stream
//   -c N     connections, each asks anew when it was answered
//   -w S     warm-up                           -d S     measured window
//   -r S     of the warm-up, how long the connections take to start one after the other (default 0: at once)
//   -v       each connection's first answer is shortened, by the "-cNNN" in the body's model: as streams in
//            the middle of their lives are, not all at their beginning
//   -P PID   the gateway
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
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

#define MAX_PIDS 256
#define MAX_BODY (1 << 22)
#define MAX_FAILED_CONNECTIONS 100000
#define MARK_LENGTH 22 // "@T", 19 digits, "@"

typedef struct {
	double *v;
	size_t n, cap;
} samples;

enum { SIZE, DATA, DATA_END, TRAILER }; // where the decoder of chunks is

typedef struct {
	int fd, busy, started, head_done, status, chunked, keep, in_window;
	int marks, expected, disordered;
	uint64_t last_mark;
	long length; // content-length; -1 without
	int decoder;
	long chunk_left;
	char *head;
	size_t head_len, head_cap;
	char *body;
	size_t body_len, body_cap, scanned;
	size_t sent;
	uint64_t begun;
} conn;

static int ep, is_stream, is_ollama, tokens, varies;
static struct sockaddr_in address;
static char *request;
static size_t request_len;
static char *digits; // of "-cNNN" in the request, when the first answers vary
static uint64_t t_measure, t_end;
static samples latency, transit;
static uint64_t n_ok, n_wrong, n_marks, n_failed_connections;
static char first_wrong[300];

static uint64_t now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void add(samples *s, double v) {
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 65536;
		s->v = realloc(s->v, s->cap * sizeof(double));
	}
	s->v[s->n++] = v;
}

static int ascending(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double percentile(const samples *s, double p) {
	return s->n ? s->v[(size_t)(p / 100.0 * (s->n - 1) + 0.5)] : 0;
}

static int parent_of(int pid) {
	char path[64], b[1024], state;
	int parent = -1;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f) return -1;
	size_t n = fread(b, 1, sizeof b - 1, f);
	fclose(f);
	b[n] = 0;
	char *name_end = strrchr(b, ')');
	if (name_end) sscanf(name_end + 1, " %c %d", &state, &parent);
	return parent;
}

// Puts a process and its descendants into `pids`; how many there are then.
static int process_tree(int root, int *pids, int n) {
	int children[MAX_PIDS], n_children = 0;
	if (n < MAX_PIDS) pids[n++] = root;
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));) {
		int pid = isdigit(e->d_name[0]) ? atoi(e->d_name) : 0;
		if (pid && pid != root && n_children < MAX_PIDS && parent_of(pid) == root) children[n_children++] = pid;
	}
	if (d) closedir(d);
	for (int i = 0; i < n_children; i++) n = process_tree(children[i], pids, n);
	return n;
}

static double processor_us(const int *pids, int n) {
	double us = 0;
	for (int i = 0; i < n; i++) {
		clockid_t clock;
		struct timespec t;
		if (clock_getcpuclockid(pids[i], &clock) || clock_gettime(clock, &t)) continue;
		us += t.tv_sec * 1e6 + t.tv_nsec / 1e3;
	}
	return us;
}

static void watch(conn *c, int op, int out) {
	struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
	epoll_ctl(ep, op, c->fd, &e);
}

static int dial(conn *c) {
	int one = 1;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(c->fd, (void *)&address, sizeof address) && errno != EINPROGRESS) {
		close(c->fd);
		c->fd = -1;
		n_failed_connections++;
		return -1;
	}
	watch(c, EPOLL_CTL_ADD, 0);
	return 0;
}

static void push(conn *c) {
	if (varies && !c->sent) { // the request is shared
		char text[8];
		snprintf(text, sizeof text, "%03d", c->expected % 1000);
		memcpy(digits, text, 3);
	}
	while (c->sent < request_len) {
		ssize_t w = send(c->fd, request + c->sent, request_len - c->sent, MSG_NOSIGNAL);
		if (w > 0) {
			c->sent += w;
			continue;
		}
		if (errno == EAGAIN || errno == ENOTCONN) watch(c, EPOLL_CTL_MOD, 1);
		return; // of any other error the read side will tell
	}
	watch(c, EPOLL_CTL_MOD, 0);
}

static void begin(conn *c, int number) {
	if (c->fd < 0 && dial(c)) return;
	c->expected = varies && !c->started ? 1 + number * 37 % tokens : tokens;
	c->started = c->busy = c->keep = 1;
	c->head_done = c->status = c->chunked = c->marks = c->disordered = 0;
	c->last_mark = 0;
	c->length = -1;
	c->decoder = SIZE;
	c->chunk_left = 0;
	c->head_len = c->body_len = c->scanned = c->sent = 0;
	c->begun = now_ns();
	c->in_window = c->begun >= t_measure && c->begun < t_end;
	push(c);
}

static void drop(conn *c) {
	if (c->fd >= 0) close(c->fd);
	c->fd = -1;
}

// The number behind the last such key in an answer; -1 when there is none.
static long number_after(const conn *c, const char *key) {
	size_t key_len = strlen(key);
	for (const char *p = c->body + c->body_len - key_len; p >= c->body; p--) {
		if (memcmp(p, key, key_len)) continue;
		const char *end = c->body + c->body_len;
		for (p += key_len; p < end && (*p == ' ' || *p == ':'); p++) {}
		return p < end && isdigit((unsigned char)*p) ? atol(p) : -1;
	}
	return -1;
}

static int has(const conn *c, const char *text) {
	return memmem(c->body, c->body_len, text, strlen(text)) != NULL;
}

static const char *what_is_wrong(const conn *c, int is_complete) {
	if (!is_complete) return "the answer was cut off";
	if (c->status != 200) return "the status is not 200";
	if (c->body_len < 64) return "the answer is short";
	if (is_stream && c->disordered) return "chunks came out of order";
	if (is_stream && c->marks != c->expected) return "chunks are missing or doubled";
	if (!is_stream && !has(c, "keep what makes the service safe to run.")) return "the text is not whole";
	if (number_after(c, is_ollama ? "\"eval_count\"" : "\"completion_tokens\"") != c->expected)
		return "the token count is missing or wrong";
	if (is_stream && !has(c, is_ollama ? "\"done_reason\"" : "data: [DONE]")) return "the end is missing";
	return NULL;
}

// An answer counts in the window in which it ends, so that counts and processor time are of one window.
static void done(conn *c, int is_complete) {
	uint64_t t = now_ns();
	const char *wrong = what_is_wrong(c, is_complete);
	c->busy = 0;
	if (wrong && t < t_end) {
		const char *body = c->body_len ? c->body : "";
		if (!n_wrong++) snprintf(first_wrong, sizeof first_wrong, "%s: %d %.200s", wrong, c->status, body);
	} else if (t >= t_measure && t < t_end) {
		n_ok++;
		if (c->in_window) add(&latency, (t - c->begun) / 1e6);
	}
	if (!is_complete || !c->keep) drop(c);
}

static void look_for_marks(conn *c) {
	uint64_t t = now_ns();
	int in_window = t >= t_measure && t < t_end;
	char *end = c->body + c->body_len, *p = c->body + c->scanned;
	while (p < end && (p = memchr(p, '@', end - p))) {
		if (end - p < MARK_LENGTH) break;
		char *after;
		uint64_t written = p[1] == 'T' && isdigit((unsigned char)p[2]) ? strtoull(p + 2, &after, 10) : 0;
		if (!written || after != p + MARK_LENGTH - 1 || *after != '@') {
			p++;
			continue;
		}
		c->marks++;
		c->disordered |= written <= c->last_mark;
		c->last_mark = written;
		if (in_window) {
			n_marks++;
			add(&transit, ((double)t - (double)written) / 1e6);
		}
		p += MARK_LENGTH;
	}
	c->scanned = p ? (size_t)(p - c->body) : c->body_len;
}

static void take(conn *c, const char *p, size_t n) {
	if (c->body_len + n + 1 > c->body_cap) {
		c->body_cap = c->body_cap ? c->body_cap : 8192;
		while (c->body_cap < c->body_len + n + 1) c->body_cap *= 2;
		c->body = realloc(c->body, c->body_cap);
	}
	memcpy(c->body + c->body_len, p, n);
	c->body_len += n;
	c->body[c->body_len] = 0; // ends every number
}

static int hex(char digit) {
	return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

// Takes bytes of the body; true when it is complete.
static int feed(conn *c, const char *p, size_t n) {
	const char *end = p + n;
	if (!c->chunked) {
		take(c, p, n);
		return c->length >= 0 && (long)c->body_len >= c->length;
	}
	while (p < end) {
		switch (c->decoder) {
		case SIZE:
			if (*p == '\n')
				c->decoder = c->chunk_left ? DATA : TRAILER;
			else if (isxdigit((unsigned char)*p))
				c->chunk_left = c->chunk_left * 16 + hex(*p);
			p++;
			break;
		case DATA: {
			size_t part = end - p < c->chunk_left ? (size_t)(end - p) : (size_t)c->chunk_left;
			take(c, p, part);
			p += part;
			if (!(c->chunk_left -= part)) c->decoder = DATA_END;
			break;
		}
		case DATA_END:
			if (*p++ == '\n') c->decoder = SIZE;
			break;
		case TRAILER:
			if (*p++ == '\n') return 1;
			break;
		}
	}
	return 0;
}

// Takes bytes of the head. What is left of them for the body, or NULL while the head is not complete.
static const char *take_head(conn *c, const char *p, size_t *n) {
	if (c->head_len + *n + 1 > c->head_cap) {
		c->head_cap = (c->head_len + *n) * 2 + 4096;
		c->head = realloc(c->head, c->head_cap);
	}
	memcpy(c->head + c->head_len, p, *n);
	c->head_len += *n;
	c->head[c->head_len] = 0;
	char *end = memmem(c->head, c->head_len, "\r\n\r\n", 4);
	if (!end) return NULL;
	c->head_done = 1;
	c->status = c->head_len > 12 ? atoi(c->head + 9) : 0;
	for (char *l = c->head; (l = memchr(l, '\n', end - l)); l++) {
		if (!strncasecmp(l + 1, "content-length:", 15))
			c->length = atol(l + 16);
		else if (!strncasecmp(l + 1, "transfer-encoding:", 18))
			c->chunked = 1;
		else if (!strncasecmp(l + 1, "connection: close", 17))
			c->keep = 0;
	}
	*n = c->head + c->head_len - (end + 4);
	return end + 4;
}

static void on_readable(conn *c) {
	static char buffer[262144];
	ssize_t r = recv(c->fd, buffer, sizeof buffer, 0);
	if (r < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (!c->busy) {
		drop(c);
		return;
	}
	if (r <= 0) {
		c->keep = 0;
		done(c, r == 0 && c->head_done && !c->chunked && c->length < 0);
		return;
	}
	const char *p = buffer;
	size_t n = r;
	if (!c->head_done && !(p = take_head(c, p, &n))) return;
	int is_complete = feed(c, p, n);
	if (is_stream) look_for_marks(c);
	if (is_complete) done(c, 1);
}

static char *read_body(const char *file, size_t *n) {
	FILE *f = fopen(file, "rb");
	if (!f) {
		perror(file);
		exit(2);
	}
	char *body = malloc(MAX_BODY);
	*n = fread(body, 1, MAX_BODY, f);
	fclose(f);
	return body;
}

static void prepare(const char *url, const char *headers, const char *file) {
	static const char loopback[] = "http://127.0.0.1:";
	const char *path = strncmp(url, loopback, sizeof loopback - 1) ? NULL : strchr(url + sizeof loopback - 1, '/');
	if (!path) {
		fprintf(stderr, "the address is http://127.0.0.1:PORT/PATH\n");
		exit(2);
	}
	int port = atoi(url + sizeof loopback - 1);
	size_t n;
	char *body = read_body(file, &n);
	address.sin_family = AF_INET;
	address.sin_port = htons(port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	request = malloc(n + 8192);
	request_len = sprintf(request,
			      "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nAccept: */*\r\n"
			      "User-Agent: OpenAI/Python 2.0.0\r\n%sContent-Length: %zu\r\n\r\n",
			      path, port, headers, n);
	memcpy(request + request_len, body, n);
	char *mark = varies ? memmem(request + request_len, n, "-c", 2) : NULL;
	if (varies && !mark) {
		fprintf(stderr, "the body's model has no -cNNN to vary\n");
		exit(2);
	}
	digits = mark ? mark + 2 : NULL;
	request_len += n;
	free(body);
}

static void print_samples(const char *name, samples *s) {
	qsort(s->v, s->n, sizeof(double), ascending);
	printf(",\"%s_p50_ms\":%.4f,\"%s_p99_ms\":%.4f", name, percentile(s, 50), name, percentile(s, 99));
}

static void print_text(const char *p) {
	for (; *p; p++) {
		if (*p == '"' || *p == '\\') putchar('\\');
		if ((unsigned char)*p >= 32) putchar(*p);
	}
}

static void run(conn *conns, int n_conns, uint64_t t_start, double ramp_s, int gateway) {
	struct epoll_event events[512];
	int pids[MAX_PIDS], n_pids = 0, measuring = 0;
	double us = 0;
	uint64_t t, t_begun = 0;
	while ((t = now_ns()) < t_end && n_failed_connections < MAX_FAILED_CONNECTIONS) {
		if (!measuring && t >= t_measure) {
			if (gateway) n_pids = process_tree(gateway, pids, 0);
			us = processor_us(pids, n_pids);
			t_begun = now_ns();
			measuring = 1;
		}
		double started_s = (t - t_start) / 1e9;
		int allowed = started_s >= ramp_s ? n_conns : (int)(started_s / ramp_s * n_conns) + 1;
		for (int i = 0; i < allowed; i++)
			if (!conns[i].busy) begin(&conns[i], i);
		int n = epoll_wait(ep, events, 512, allowed < n_conns ? 1 : 5);
		for (int i = 0; i < n; i++) {
			conn *c = events[i].data.ptr;
			if (c->fd >= 0 && events[i].events & EPOLLOUT) push(c);
			if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
		}
	}
	us = processor_us(pids, n_pids) - us;
	double seconds = (now_ns() - t_begun) / 1e9;
	printf("{\"seconds\":%.4f,\"answers\":%lu,\"chunks\":%lu,\"wrong\":%lu,\"processor_us\":%.1f", seconds, n_ok,
	       n_marks, n_wrong + n_failed_connections, us);
}

int main(int argc, char **argv) {
	char *url = "", *file = "", headers[4096] = "";
	int option, gateway = 0, n_conns = 1;
	double measured_s = 1, warm_s = 1, ramp_s = 0;
	while ((option = getopt(argc, argv, "u:B:H:f:sn:c:w:r:d:vP:")) != -1) switch (option) {
		case 'u': url = optarg; break;
		case 'B': file = optarg; break;
		case 'H':
			if (strlen(headers) + strlen(optarg) + 3 > sizeof headers) return 2;
			strcat(strcat(headers, optarg), "\r\n");
			break;
		case 'f': is_ollama = !strcmp(optarg, "ollama"); break;
		case 's': is_stream = 1; break;
		case 'n': tokens = atoi(optarg); break;
		case 'c': n_conns = atoi(optarg); break;
		case 'w': warm_s = atof(optarg); break;
		case 'r': ramp_s = atof(optarg); break;
		case 'd': measured_s = atof(optarg); break;
		case 'v': varies = 1; break;
		case 'P': gateway = atoi(optarg); break;
		default: return 2;
		}
	if (tokens < 1 || n_conns < 1 || measured_s > 300 || warm_s > 60) return 2;
	prepare(url, headers, file);
	signal(SIGPIPE, SIG_IGN);
	ep = epoll_create1(0);
	conn *conns = calloc(n_conns, sizeof *conns);
	for (int i = 0; i < n_conns; i++) conns[i].fd = -1;
	uint64_t t_start = now_ns();
	t_measure = t_start + (uint64_t)(warm_s * 1e9);
	t_end = t_measure + (uint64_t)(measured_s * 1e9);
	run(conns, n_conns, t_start, ramp_s, gateway);
	print_samples("latency", &latency);
	print_samples("transit", &transit);
	printf(",\"first_wrong\":\"");
	print_text(first_wrong);
	printf("\"}\n");
	return 0;
}
