// A plain gateway on Go's net/http, as a yardstick: key check, typed decoding and encoding, usage.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const maxBody = 16 << 20

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
	Name    string          `json:"name,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatRequest struct {
	Model         string         `json:"model"`
	Messages      []message      `json:"messages"`
	Temperature   *float64       `json:"temperature,omitempty"`
	MaxTokens     *int           `json:"max_tokens,omitempty"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options,omitempty"`
}

type usage struct {
	PromptTokens     uint64 `json:"prompt_tokens"`
	CompletionTokens uint64 `json:"completion_tokens"`
}

type choice struct {
	Message      *message `json:"message"`
	Delta        *message `json:"delta"`
	FinishReason *string  `json:"finish_reason"`
}

type answer struct {
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage"`
}

type gateway struct {
	upstream string
	keys     map[[sha256.Size]byte]string
	client   *http.Client
	prompt   atomic.Uint64
	output   atomic.Uint64
}

func (g *gateway) count(body []byte) {
	var decoded answer
	if json.Unmarshal(body, &decoded) == nil && decoded.Usage != nil {
		g.prompt.Add(decoded.Usage.PromptTokens)
		g.output.Add(decoded.Usage.CompletionTokens)
	}
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secret := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, known := g.keys[sha256.Sum256([]byte(secret))]; !known {
		http.Error(w, `{"error":{"message":"unknown key"}}`, http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var asked chatRequest
	if err != nil || json.Unmarshal(body, &asked) != nil || asked.Model == "" {
		http.Error(w, `{"error":{"message":"bad request"}}`, http.StatusBadRequest)
		return
	}
	encoded, err := json.Marshal(asked)
	if err != nil {
		http.Error(w, `{"error":{"message":"bad request"}}`, http.StatusBadRequest)
		return
	}
	call, err := http.NewRequestWithContext(r.Context(), http.MethodPost, g.upstream, bytes.NewReader(encoded))
	if err != nil {
		http.Error(w, `{"error":{"message":"bad upstream"}}`, http.StatusInternalServerError)
		return
	}
	call.Header.Set("Content-Type", "application/json")
	call.Header.Set("Authorization", "Bearer sk-upstream")
	reply, err := g.client.Do(call)
	if err != nil {
		http.Error(w, `{"error":{"message":"upstream failed"}}`, http.StatusBadGateway)
		return
	}
	defer reply.Body.Close()
	w.Header().Set("Content-Type", reply.Header.Get("Content-Type"))
	w.WriteHeader(reply.StatusCode)
	if asked.Stream {
		g.relayStream(w, reply.Body)
		return
	}
	whole, err := io.ReadAll(reply.Body)
	if err == nil {
		g.count(whole)
		w.Write(whole)
	}
}

// relayStream sends on what has come with one read, and looks into every event of it.
func (g *gateway) relayStream(w http.ResponseWriter, body io.Reader) {
	flusher := w.(http.Flusher)
	reader := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			w.Write(line)
			if data := bytes.TrimPrefix(line, []byte("data: ")); len(data) < len(line) && data[0] == '{' {
				g.count(data)
			}
		}
		if reader.Buffered() == 0 {
			flusher.Flush()
		}
		if err != nil {
			return
		}
	}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: gateway ADDRESS UPSTREAM_URL KEY")
	}
	transport := &http.Transport{
		MaxIdleConns:        2048,
		MaxIdleConnsPerHost: 2048,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
	g := &gateway{
		upstream: os.Args[2],
		keys:     map[[sha256.Size]byte]string{sha256.Sum256([]byte(os.Args[3])): "bench"},
		client:   &http.Client{Transport: transport},
	}
	server := &http.Server{Addr: os.Args[1], Handler: g, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
