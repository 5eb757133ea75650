package metrics

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ServeHTTP implements [http.Handler]. Each request is a scrape.
//
// It writes the text format to all clients that accept it, even if they prefer another
// one, because the others cost many times as much. Other clients get OpenMetrics or
// protobuf. It compresses nothing, which would take longer than the scrape. What the
// server allows for writing should be more than [Options.Timeout].
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !acceptsText(r.Header) {
		promhttp.HandlerFor(c, promhttp.HandlerOpts{EnableOpenMetrics: true, DisableCompression: true}).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", textType)
	_ = c.WriteText(w) // an error means that the client is gone
}

const textType = "text/plain; version=0.0.4; charset=utf-8"

// acceptsText reports whether a client accepts the text format, which those without a
// header do.
func acceptsText(h http.Header) bool {
	accept := h.Values("Accept")
	return len(accept) == 0 || slices.ContainsFunc(accept, func(types string) bool {
		return strings.Contains(types, "text/plain") || strings.Contains(types, "text/*") || strings.Contains(types, "*/*")
	})
}
