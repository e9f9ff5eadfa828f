package tray

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

const (
	longTooltip = 120 // in runes; Windows shows at most 127
	longLabel   = 60  // max length of a menu entry in runes
	menuCameras = 30
	menuEvents  = 3
)

// model is everything that the tray shows. It is made only from what the recorder reports.
type model struct {
	icon    assets.Tray
	tooltip string
	head    string // first line of the menu, which only says something
	menu    []entry
}

// entry is one entry of the menu. An entry without a title is a separator.
type entry struct {
	title   string
	do      command
	kids    []entry
	picture string // file of a picture, or ""
}

// command is what a click does. Which fields are used depends on do.
type command struct {
	do    what
	id    string        // id of a page, event or camera
	path  string        // a file or folder; for an event, the clip to play if there is no window
	title string        // of the notification that the result replaces
	last  time.Duration // length of a pause; 0 means until the user resumes
}

type what string

// The actions of a click.
const (
	doPage    what = "page"
	doEvent   what = "event"  // shows the event in the window
	doFile    what = "file"   // opens the file in the desktop's player
	doReveal  what = "reveal" // shows the file in the file manager
	doFolder  what = "folder"
	doProtect what = "protect"
	doSave    what = "save" // saves a clip of a camera
	doSaveAll what = "save all"
	doPause   what = "pause"
	doResume  what = "resume"
	doQuit    what = "quit"
)

// modelOf makes the model from what a recorder reports. A nil status means that no recorder answers. ended holds the
// newest ended events, newest first, unseen how many of them the user has not seen. A build without a window gets no
// menu entries for the window.
func modelOf(now time.Time, s *status.Status, open int, ended []event.Event, unseen int, window bool) model {
	m := model{icon: assets.Attention, tooltip: words.L("Preroll is not recording")}
	if s != nil {
		m.icon, m.tooltip = stateOf(now, s, open)
	}
	m.tooltip = short(m.tooltip, longTooltip)
	add := func(e entry) { m.menu = append(m.menu, e) }
	m.head = strings.TrimPrefix(m.tooltip, "Preroll: ")
	if window {
		title := words.L("Events")
		if unseen > 0 {
			title = words.L("Events: %s new", atLeast(unseen, keptEnded))
		}
		add(entry{title: title, do: command{do: doPage, id: "events"}})
	}
	if s != nil {
		m.menu = append(m.menu, eventMenu(now, s, ended, window)...)
		if save := saveMenu(s, window); save != nil {
			add(entry{title: words.L("Save a clip now"), kids: save})
			add(pauseMenu(s))
		}
	}

	if window {
		add(entry{title: words.L("Cameras"), do: command{do: doPage, id: "cameras"}})
		add(entry{title: words.L("Health"), do: command{do: doPage, id: "health"}})
	}
	if s != nil && s.Archive.Path != "" {
		add(entry{title: words.L("Open archive folder"), do: command{do: doFolder, path: s.Archive.Path}})
	}
	if window {
		add(entry{title: words.L("Settings"), do: command{do: doPage, id: "settings"}})
	}
	add(entry{})
	add(entry{title: words.L("Quit"), do: command{do: doQuit}})
	return m
}

// stateOf returns the icon and the tooltip. Trouble with the archive comes before saving, which it keeps from ending.
// Saving comes before any other problem, a problem before a pause, a pause before recording.
func stateOf(now time.Time, s *status.Status, open int) (assets.Tray, string) {
	recording, enabled := 0, 0
	for _, c := range s.Cameras {
		if c.State != status.Off {
			enabled++
		}
		if c.State == status.Recording {
			recording++
		}
	}

	paused := words.L("paused until you resume")
	if !s.Pause.Until.IsZero() {
		paused = words.L("paused until %s", clock(s.Pause.Until, now))
	}
	icon, text := assets.Recording, words.N(recording, "recording 1 camera", "recording %d cameras")
	switch {
	case archiveTrouble(s) != nil:
		icon, text = assets.Attention, words.Say(archiveTrouble(s).Text)
	case open > 0:
		icon, text = assets.Saving, words.N(open, "saving 1 clip", "saving %d clips")
	case len(s.Problems) > 0:
		icon, text = assets.Attention, words.Say(s.Problems[0].Text)
	case enabled == 0:
		icon, text = assets.Idle, words.L("no camera is set up")
	case s.Pause.On:
		return assets.Paused, words.L("Preroll: %s", paused)
	case recording < enabled:
		text = words.L("recording %d of %d cameras", recording, enabled)
	}

	if s.Pause.On {
		text += " · " + paused
	}
	return icon, words.L("Preroll: %s", text)
}

// archiveTrouble returns the problem that keeps clips from being saved, or nil.
func archiveTrouble(s *status.Status) *status.Problem {
	for i, p := range s.Problems {
		switch p.Code {
		case "archive", "archive-full", "archive-gone", "archive-hangs", "ram-gone":
			return &s.Problems[i]
		}
	}
	return nil
}

// atLeast formats a number that is counted up to a limit.
func atLeast(n, limit int) string {
	if n >= limit {
		return fmt.Sprintf("%d+", limit)
	}
	return strconv.Itoa(n)
}

// clock formats the time of day, with the day unless the day is today.
func clock(t, now time.Time) string {
	t = t.Local()
	switch day := words.Day(t, now); day {
	case words.L("Today"):
		return t.Format("15:04")
	case words.L("Yesterday"):
		return day + " " + t.Format("15:04")
	}
	return words.Date(t) + " " + t.Format("15:04")
}

func eventMenu(now time.Time, s *status.Status, ended []event.Event, window bool) (list []entry) {
	for _, e := range ended[:min(len(ended), menuEvents)] {
		do := command{do: doEvent, id: e.ID}
		if len(e.Clips) > 0 && !window {
			do = command{do: doFile, path: e.Path(s.Archive.Path, e.Clips[0].File)}
		} else if len(e.Clips) == 0 && !window {
			continue
		}
		picture := ""
		if e.Thumbnail != "" {
			picture = e.Path(s.Archive.Path, e.Thumbnail)
		}
		list = append(list, entry{title: clock(e.Time, now) + "  " + title(e), do: do, picture: picture})
	}

	return list
}

// saveMenu lists the cameras that can save a clip now.
func saveMenu(s *status.Status, window bool) (list []entry) {
	for _, c := range s.Cameras {
		if c.State != status.Off {
			list = append(list, entry{title: cmp.Or(c.Name, c.ID), do: command{do: doSave, id: c.ID}})
		}
	}
	all := len(list) > 1
	if len(list) > menuCameras {
		list = list[:menuCameras]
		if window {
			list = append(list, entry{title: words.L("More in the window..."), do: command{do: doPage, id: "cameras"}})
		}
	}
	if all {
		list = append(list, entry{title: words.L("All cameras"), do: command{do: doSaveAll}})
	}
	return list
}

func pauseMenu(s *status.Status) entry {
	if s.Pause.On {
		return entry{title: words.L("Resume"), do: command{do: doResume}}
	}
	return entry{title: words.L("Pause"), kids: []entry{
		{title: words.L("For 15 minutes"), do: command{do: doPause, last: 15 * time.Minute}},
		{title: words.L("For 1 hour"), do: command{do: doPause, last: time.Hour}},
		{title: words.L("Until I resume"), do: command{do: doPause}},
	}}
}

// newest merges changed and removed events into list and returns the newest ended events, newest first.
func newest(list, changed []event.Event, removed []string) []event.Event {
	gone := func(e event.Event) bool {
		return slices.Contains(removed, e.ID) ||
			slices.ContainsFunc(changed, func(c event.Event) bool { return c.ID == e.ID })
	}
	list = slices.DeleteFunc(slices.Clone(list), gone)
	for _, e := range changed {
		if e.State.Ended() && !slices.Contains(removed, e.ID) {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b event.Event) int { return b.Time.Compare(a.Time) })
	return list[:min(len(list), keptEnded)]
}

// keptEnded is how many ended events the tray keeps, so that some are left after others are removed.
const keptEnded = 50

// short turns a text into one line of at most long runes.
func short(s string, long int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	}), " ")
	if r := []rune(s); len(r) > long {
		return strings.TrimRight(string(r[:long-1]), " ") + "…"
	}
	return s
}

// label escapes a title for the menu of a platform. D-Bus menus and Windows read one character as the mark of an access
// key. A literal character of that kind is doubled.
func label(title, system string) string {
	title = short(title, longLabel)
	switch system {
	case "windows":
		return strings.ReplaceAll(title, "&", "&&")
	case "darwin":
		return title
	}
	return strings.ReplaceAll(title, "_", "__")
}

// lacksRAMDisk reports whether the RAM disk that Preroll made is gone, as after each restart of a Mac.
func lacksRAMDisk(s *status.Status) bool {
	return s != nil && (s.RAM.Path == ramVolume || strings.HasPrefix(s.RAM.Path, ramVolume+"/")) &&
		slices.ContainsFunc(s.Problems, func(p status.Problem) bool { return p.Code == "ram-gone" })
}

const ramVolume = "/Volumes/PrerollRAM"
