package recorder

import (
	"sync"

	"github.com/preroll/preroll/recorder/event"
)

// hub notifies subscribers of changes. It keeps no history: a slow subscriber gets the newest state of each event once,
// so nothing grows and nothing blocks the recorder.
type hub struct {
	mu   sync.Mutex // guards all fields below and the pending fields of every Subscription
	subs map[*Subscription]bool
}

// Subscription is one watcher. Wait on Changes, then call Drain.
type Subscription struct {
	hub     *hub
	c       chan struct{}
	status  bool
	order   []string
	events  map[string]event.Event
	removed []string
}

// Subscribe begins a subscription to all changes from now on. Close ends it.
func (r *Recorder) Subscribe() *Subscription {
	s := &Subscription{c: make(chan struct{}, 1), hub: &r.hub, events: map[string]event.Event{}}
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	if r.hub.subs == nil {
		r.hub.subs = map[*Subscription]bool{}
	}
	r.hub.subs[s] = true
	return s
}

// Changes returns a channel that receives when Drain has something to return.
func (s *Subscription) Changes() <-chan struct{} { return s.c }

// Close ends the subscription.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	delete(s.hub.subs, s)
}

// Drain returns the changes since the last call: whether the status changed, the changed events in the order of their
// first change, and the ids of removed events.
func (s *Subscription) Drain() (status bool, events []event.Event, removed []string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for _, id := range s.order {
		events = append(events, s.events[id])
	}
	status, removed = s.status, s.removed
	s.status, s.order, s.removed = false, nil, nil
	clear(s.events)
	return status, events, removed
}

func (h *hub) publish(f func(*Subscription)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		f(s)
		select {
		case s.c <- struct{}{}:
		default:
		}
	}
}

func (h *hub) statusChanged() { h.publish(func(s *Subscription) { s.status = true }) }

func (h *hub) eventChanged(e event.Event) {
	h.publish(func(s *Subscription) {
		if _, ok := s.events[e.ID]; !ok {
			s.order = append(s.order, e.ID)
		}
		s.events[e.ID] = e
		s.status = true // the camera's open event and the archive's totals change too
	})
}

func (h *hub) eventRemoved(id string) {
	h.publish(func(s *Subscription) { s.removed = append(s.removed, id) })
}
