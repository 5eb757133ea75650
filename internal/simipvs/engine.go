package simipvs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A persistence engine ties what it finds in a packet, the key, instead of the client
// alone. Each key of a client has a template of its own.

// Engine is a persistence engine: it returns the key of a packet, false if it finds none.
type Engine func(*Packet) (key string, found bool)

// maxEngineKey is the length of a key. The kernel has room for no more.
const maxEngineKey = 255

// engines are the templates of persistence engines. Of those that have the same key, the
// newest is found; conn.next leads to the others.
type engines struct {
	ties   map[engineTie]connID
	keys   map[connID]engineKey
	packet string                 // the key of the packet that is being decided about
	only   map[keyedServer]connID // while connections are restored, see onlyKeyed
}

// engineKey is a key and the engine that found it.
type engineKey struct{ engine, key string }

// engineTie is what a template is found by.
type engineTie struct {
	ends ends
	engineKey
}

func newEngines() engines {
	return engines{ties: make(map[engineTie]connID), keys: make(map[connID]engineKey)}
}

// findsKey looks for the key of a packet, which a service without an engine does not
// need. It reports false if there is none.
func (k *Kernel) findsKey(d *decision, s *service, p *Packet, e *ends, w *world) bool {
	key, found := "", false
	if s.engine == "" {
		return true
	}
	own := k.opts.Engines[s.engine]
	d.read = own == nil && p.Protocol == protoUDP
	if w != nil && (own != nil || p.Protocol == protoUDP) {
		if w.Key != nil {
			k.engines.packet = *w.Key
			return *w.Key != ""
		}
		k.misread(s, p, e, w)
	}
	if own != nil {
		key, found = own(p.copied())
	} else if p.Protocol == protoUDP {
		key, found = callID(p.Data)
	}
	k.engines.packet = strings.Clone(key)
	return found && key != "" && len(key) <= maxEngineKey
}

// copied returns a packet that an engine may keep. The original stays off the heap, as
// it does where a key is cloned.
func (p *Packet) copied() *Packet {
	source, destination := *p.Source, *p.Destination
	return &Packet{
		Protocol: p.Protocol, TCP: p.TCP, Mark: p.Mark, Length: p.Length, Source: &source, Destination: &destination,
		Data: strings.Clone(p.Data),
	}
}

// hasEngine reports whether there is a persistence engine of that name.
func (k *Kernel) hasEngine(name string) bool {
	return name == "" || name == sipEngine || k.opts.Engines[name] != nil
}

// findKeyed returns the template of an engine's key.
func (k *Kernel) findKeyed(template *conn, key engineKey) connID {
	return k.engines.ties[engineTie{template.ends(), key}]
}

// enterKeyed makes a template known by its key.
func (k *Kernel) enterKeyed(id connID, key engineKey) {
	c := k.conns.at(id)
	tie := engineTie{c.ends(), key}
	k.engines.keys[id] = key
	k.engines.ties[tie], c.next = id, k.engines.ties[tie]
}

// retireKeyed makes a template unknown by its key. Newer kernels forget to.
func (k *Kernel) retireKeyed(id connID) {
	c := k.conns.at(id)
	if !k.opts.Release.OwnTables() && c.vport != retiredPort {
		key := k.engines.keys[id]
		k.forgetKeyed(id)
		c.vport = retiredPort
		k.enterKeyed(id, key)
	}
	c.destPort = retiredPort
}

// forgetKeyed forgets a template when it ends.
func (k *Kernel) forgetKeyed(id connID) {
	c := k.conns.at(id)
	tie := engineTie{c.ends(), k.engines.keys[id]}
	delete(k.engines.keys, id)
	first := k.engines.ties[tie]
	for at := &first; *at != 0; at = &k.conns.at(*at).next {
		if *at == id {
			*at = c.next
			break
		}
	}
	if k.engines.ties[tie] = first; first == 0 {
		delete(k.engines.ties, tie)
	}
}

// keyed is a key that the service's engine found.
func (s *service) keyed(key string) engineKey { return engineKey{s.engine, key} }

// appendKey appends the engine and the key of a template that has them.
func (k *Kernel) appendKey(b []byte, id connID) []byte {
	if key, ok := k.engines.keys[id]; ok {
		b = append(append(append(append(b, ' '), key.engine...), ' '), k.shownKey(key)...)
	}
	return b
}

// shownKey is a key as it is listed. Keys of engines that are not the kernel's may have
// bytes that would break the listing.
func (k *Kernel) shownKey(key engineKey) string {
	breaks := func(r rune) bool { return !strconv.IsGraphic(r) || r == ' ' || r == utf8.RuneError }
	if k.opts.Engines[key.engine] != nil && (strings.ContainsFunc(key.key, breaks) || strings.HasPrefix(key.key, `"`)) {
		return strings.ReplaceAll(strconv.Quote(key.key), " ", `\x20`)
	}
	return key.key
}

// keyOf is the key of an entry, which is as it is listed.
func (k *Kernel) keyOf(e *Entry) engineKey {
	if k.opts.Engines[e.Engine] != nil {
		if key, err := strconv.Unquote(e.Key); err == nil {
			return engineKey{e.Engine, key}
		}
	}
	return engineKey{e.Engine, e.Key}
}

// keyedServer is the templates of a client, whatever their keys, that tie it to one server.
type keyedServer struct {
	ends ends
	dest uint32
}

// onlyKeyed returns those templates that are the only ones of their client and server. A
// connection does not say by which key it was made, so it can only be of those.
func (k *Kernel) onlyKeyed() map[keyedServer]connID {
	only := make(map[keyedServer]connID)
	for tie, id := range k.engines.ties {
		of := keyedServer{tie.ends, k.conns.at(id).dest}
		if _, more := only[of]; more {
			id = 0
		}
		only[of] = id
	}
	return only
}

// misread notes that an engine would have to read a packet of which nothing is known, and
// what it may find there.
func (k *Kernel) misread(s *service, p *Packet, e *ends, w *world) {
	if p.Data != "" {
		return
	}
	if w.unread = s.engine; w.Brief {
		return
	}
	template := templateKey(s, e)
	first := make(map[uint32]string) // of each server's keys
	for tie, id := range k.engines.ties {
		server := k.conns.at(id).dest
		if key, known := first[server]; tie.ends == template.ends() && tie.engine == s.engine && (!known || tie.key < key) {
			first[server] = tie.key
		}
	}
	w.keys = slices.AppendSeq(w.keys, maps.Values(first))
	slices.Sort(w.keys)
}
