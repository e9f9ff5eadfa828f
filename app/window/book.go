package window

import (
	"slices"
	"sort"

	"github.com/preroll/preroll/recorder/event"
)

// book is the list of events as the window knows it: how many each day has, and those pages of days that were looked
// at. It holds no more than keptPages pages, so a million events cost what a hundred cost.
type book struct {
	days   []event.Day
	starts []int // row of each day's heading
	rows   int
	events int
	pages  map[pageKey][]event.Event
	used   []pageKey // longest unused first
}

// pageKey is a page of a day, from 0.
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

// at returns the day of a row and its number in the day; -1 is the day's heading.
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

// event returns a row's event, if its page is there, and the page that it is on. A heading has none.
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

// keep takes a page.
func (b *book) keep(key pageKey, list []event.Event) {
	b.pages[key] = list
	b.used = append(slices.DeleteFunc(b.used, func(k pageKey) bool { return k == key }), key)
	if len(b.used) > keptPages {
		delete(b.pages, b.used[0])
		b.used = b.used[1:]
	}
}

// find returns the row of an event that is on a page, or -1.
func (b *book) find(id string) int {
	for key, p := range b.pages {
		if i := slices.IndexFunc(p, func(e event.Event) bool { return e.ID == id }); i >= 0 {
			return b.row(key.day, key.page*pageSize+i)
		}
	}
	return -1
}

// replace puts a changed event in its place, and returns its row, or -1 where it is not known.
func (b *book) replace(e event.Event) int {
	for key, p := range b.pages {
		if i := slices.IndexFunc(p, func(o event.Event) bool { return o.ID == e.ID }); i >= 0 {
			p[i] = e
			return b.row(key.day, key.page*pageSize+i)
		}
	}
	return -1
}

// update takes new days and keeps the pages of those that have as many events as before, but for the stale ones.
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

// move returns where a row of b is in a renewed book. New events come at the beginning of a day, so a row keeps its
// distance from the day's end.
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

// day is the day that an event is listed under.
func dayOf(e event.Event) string { return e.Time.Local().Format("2006-01-02") }
