package events

import (
	"slices"
	"sort"

	"github.com/preroll/preroll/recorder/event"
)

// book holds what the window knows of the list of events: the number of events of each day, and the pages that were
// looked at. It holds at most keptPages pages, so a million events cost as much as a hundred.
type book struct {
	days   []event.Day
	starts []int // row of each day's heading
	rows   int
	events int
	pages  map[pageKey][]event.Event
	used   []pageKey // the page that was unused the longest comes first
}

// pageKey names a page of a day. Pages count from 0.
type pageKey struct {
	day  string
	page int
}

const (
	pageSize  = 50
	keptPages = 60
)

func newBook(days []event.Day) *book {
	b := &book{days: days, pages: map[pageKey][]event.Event{}}
	for _, d := range days {
		b.starts = append(b.starts, b.rows)
		b.rows += d.Events + 1
		b.events += d.Events
	}
	return b
}

// at returns the day of a row and the number of the event within the day. The number is -1 for the heading of the day.
func (b *book) at(row int) (day event.Day, n int) {
	i := sort.SearchInts(b.starts, row+1) - 1
	return b.days[i], row - b.starts[i] - 1
}

func (b *book) header(row int) bool {
	_, n := b.at(row)
	return n < 0
}

// row returns the row of a day's n-th event, or -1.
func (b *book) row(day string, n int) int {
	i := slices.IndexFunc(b.days, func(d event.Day) bool { return d.Day == day })
	if i < 0 || n >= b.days[i].Events {
		return -1
	}
	return b.starts[i] + 1 + n
}

// event returns the event of a row, if its page is loaded, and the key of the page. A heading has no event.
func (b *book) event(row int) (e event.Event, key pageKey, ok bool) {
	if row < 0 || row >= b.rows || b.header(row) {
		return event.Event{}, pageKey{}, false
	}
	d, n := b.at(row)
	key = pageKey{d.Day, n / pageSize}
	p, ok := b.pages[key]
	if !ok || n%pageSize >= len(p) {
		return event.Event{}, key, false
	}
	return p[n%pageSize], key, true
}

// keep adds a page.
func (b *book) keep(key pageKey, list []event.Event) {
	b.pages[key] = list
	b.used = append(slices.DeleteFunc(b.used, func(k pageKey) bool { return k == key }), key)
	if len(b.used) > keptPages {
		delete(b.pages, b.used[0])
		b.used = b.used[1:]
	}
}

// find returns the row of an event on a loaded page, or -1.
func (b *book) find(id string) int {
	for key, p := range b.pages {
		if i := slices.IndexFunc(p, func(e event.Event) bool { return e.ID == id }); i >= 0 {
			return b.row(key.day, key.page*pageSize+i)
		}
	}
	return -1
}

// replace puts a changed event in its place. It returns the row of the event, or -1 if the event is not loaded.
func (b *book) replace(e event.Event) int {
	for key, p := range b.pages {
		if i := slices.IndexFunc(p, func(o event.Event) bool { return o.ID == e.ID }); i >= 0 {
			p[i] = e
			return b.row(key.day, key.page*pageSize+i)
		}
	}
	return -1
}

// update returns a book with new days. It keeps the pages of days that did not change and are not stale.
func (b *book) update(days []event.Day, stale map[string]bool) *book {
	n := newBook(days)
	same := map[string]bool{}
	for _, d := range days {
		same[d.Day] = slices.Contains(b.days, d) && !stale[d.Day]
	}
	for _, key := range b.used {
		if same[key.day] {
			n.keep(key, b.pages[key])
		}
	}
	return n
}

// move returns the row in an updated book for a row of b. New events come at the beginning of a day, so a row keeps its
// distance from the end of the day.
func (b *book) move(row int, to *book) int {
	if row >= b.rows || row <= 0 {
		return 0
	}
	d, n := b.at(row)
	i := slices.IndexFunc(to.days, func(o event.Day) bool { return o.Day == d.Day })
	if i < 0 {
		return min(row, max(0, to.rows-1))
	}
	if n < 0 {
		return to.starts[i]
	}
	return to.starts[i] + 1 + max(0, min(n+to.days[i].Events-d.Events, to.days[i].Events-1))
}

// dayOf returns the day that an event is listed under.
func dayOf(e event.Event) string { return e.Time.Local().Format("2006-01-02") }
