package ipvsadm

// ordered is a map that remembers the order in which its keys were added.
type ordered[K comparable, V any] struct {
	at    map[K]int // index in slots
	slots []slot[V]
}

type slot[V any] struct {
	value   V
	removed bool
}

func (o *ordered[K, V]) len() int { return len(o.at) }

func (o *ordered[K, V]) add(k K, v V) {
	if o.at == nil {
		o.at = make(map[K]int)
	}
	o.at[k] = len(o.slots)
	o.slots = append(o.slots, slot[V]{value: v})
}

// get returns the value of a key, or nil.
func (o *ordered[K, V]) get(k K) *V {
	i, ok := o.at[k]
	if !ok {
		return nil
	}
	return &o.slots[i].value
}

func (o *ordered[K, V]) remove(k K) {
	o.slots[o.at[k]] = slot[V]{removed: true}
	delete(o.at, k)
}

// values returns the values in the order in which they were added.
func (o *ordered[K, V]) values() []V {
	all := make([]V, 0, o.len())
	for _, s := range o.slots {
		if !s.removed {
			all = append(all, s.value)
		}
	}
	return all
}
