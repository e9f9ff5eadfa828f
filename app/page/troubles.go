package page

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Trouble is something that needs a person, in the user's language, and a button that helps.
type Trouble struct {
	Text   string
	Button string // "" for none
	Do     func()
	Warn   bool // it works, but not as it should
}

// Troubles returns all that needs a person now, the worst first. Every page tells the same of it.
func (env *Env) Troubles() (list []Trouble) {
	s := env.Status
	if s == nil && !env.Gone {
		return nil
	}
	if s == nil {
		return []Trouble{{Text: Headline(nil), Button: words.L("Start"), Do: env.startRecorder}}
	}
	for i, p := range s.Problems {
		if same := sameCause(s, p); len(same) > 1 {
			if same[0] == i {
				list = append(list, env.troubleOfSeveral(s, same))
			}
			continue
		}
		t := Trouble{Text: ProblemOf(s, p)}
		t.Button, t.Do = env.helpFor(p)
		if taken, free, ok := TakenPort(s.SMTP.Ports); ok && p.Code == "smtp" {
			t.Button, t.Do = words.L("Use port %d", free), func() { env.UsePort(taken, free) }
		}
		list = append(list, t)
	}
	if n := len(s.SMTP.Unmatched); n > 0 {
		list = append(list, Trouble{Warn: true, Button: words.L("Assign"), Do: env.ShowMails,
			Text: words.N(n, "A mail could not be assigned to a camera.",
				"%d mails could not be assigned to a camera.")})
	}
	return list
}

// sameCause returns the problems of cameras with the cause of p, such as all channels of a recorder that is switched
// off.
func sameCause(s *status.Status, p status.Problem) (list []int) {
	cause := causeOf(s, p)
	for i, other := range s.Problems {
		if c := causeOf(s, other); c != "" && c == cause {
			list = append(list, i)
		}
	}
	return list
}

// causeOf returns why a camera is away, or "" for other problems.
func causeOf(s *status.Status, p status.Problem) string {
	for _, c := range s.Cameras {
		if p.Code == "camera" && c.ID == p.About && c.State != status.Recording {
			return words.Say(c.Text)
		}
	}
	return ""
}

// maxNamed is how many cameras a trouble names.
const maxNamed = 4

func (env *Env) troubleOfSeveral(s *status.Status, same []int) Trouble {
	var names []string
	for _, i := range same[:min(len(same), maxNamed)] {
		names = append(names, widgets.Shorten(env.CameraName(s.Problems[i].About), longName))
	}
	if more := len(same) - len(names); more > 0 {
		names = append(names, words.L("… and %d more", more))
	}
	p := s.Problems[same[0]]
	return Trouble{Text: words.L("%s: %s", strings.Join(names, ", "),
		Sentence(causeOf(s, p))+" "+words.Say(p.Hint)), Button: words.L("Cameras"), Do: env.pageOpener("cameras")}
}

func (env *Env) pageOpener(page string) func() {
	return func() { env.Go(instance.Request{Page: page}) }
}

// helpFor returns the button that helps with a problem.
func (env *Env) helpFor(p status.Problem) (button string, do func()) {
	tab := func(t SettingsTab) func() { return func() { env.OpenSettings(t) } }
	switch p.Code {
	case "archive-full":
		return words.L("Show the folder"), func() {
			env.Try(func(context.Context) error { return opener.OpenFolder(env.Status.Archive.Path) }, nil)
		}
	case "archive", "archive-gone", "archive-hangs":
		return words.L("Archive"), tab(TabArchive)
	case "ram-gone", "ram-disk", "ram-short":
		return words.L("Memory"), tab(TabRecording)
	case "smtp", "calls":
		return words.L("Settings"), tab(TabMail)
	case "web":
		return words.L("Settings"), tab(TabPhone)
	case "target":
		return words.L("Settings"), tab(TabNotifications)
	case "ffmpeg", "settings":
		return words.L("Settings"), tab(TabGeneral)
	case "camera":
		return words.L("Camera"), func() { env.EditCamera(p.About) }
	}
	return "", nil
}

// SettingsTab is a tab of the page Settings.
type SettingsTab int

// The tabs of the page Settings, in their order.
const (
	TabCameras SettingsTab = iota
	TabRecording
	TabArchive
	TabMail
	TabNotifications
	TabPhone
	TabGeneral
)

// PortIsTaken says that another program has a port, and which one is free.
func PortIsTaken(taken, free int) string {
	return words.L("Port %d is taken by another program. Port %d is free; the cameras must then send to it.", taken, free)
}

// TakenPort returns the first port of the mail server that another program has, and a free one.
func TakenPort(ports []status.Port) (taken, free int, ok bool) {
	for _, p := range ports {
		if p.Error.Is(text.PortTakenFree) && len(p.Error.Args) > 1 {
			a, isInt := p.Error.Args[0].(int64)
			b, both := p.Error.Args[1].(int64)
			if isInt && both {
				return int(a), int(b), true
			}
		}
	}
	return 0, 0, false
}

// UsePort replaces a port of the mail server in the settings in force.
func (env *Env) UsePort(taken, free int) {
	env.Try(func(ctx context.Context) error {
		s, err := env.Client.Settings(ctx)
		if err != nil {
			return err
		}
		ReplacePort(&s.SMTP, taken, free)
		return env.Client.Apply(ctx, s)
	}, nil)
}

// ReplacePort replaces a port in the addresses of the mail server.
func ReplacePort(s *config.SMTP, taken, free int) {
	for _, list := range []*string{&s.Listen, &s.ListenTLS} {
		parts := strings.Split(*list, ",")
		for i, l := range parts {
			if host, port, err := net.SplitHostPort(strings.TrimSpace(l)); err == nil && port == strconv.Itoa(taken) {
				parts[i] = net.JoinHostPort(host, strconv.Itoa(free))
			}
		}
		*list = strings.Join(parts, ",")
	}
}

// startRecorder starts Preroll, which records. The window finds it by itself.
func (env *Env) startRecorder() {
	env.Toast(words.L("Preroll is starting …"))
	env.Try(func(context.Context) error { return host.Start(env.Paths.File) }, nil)
}

// Banner shows the troubles of a recorder, each with its button, above a page.
type Banner struct {
	env     *Env
	Content *fyne.Container
	shown   []Trouble
}

// NewBanner returns an empty banner.
func NewBanner(env *Env) *Banner {
	return &Banner{env: env, Content: container.NewVBox()}
}

// maxTroubles is how many troubles a banner shows.
const maxTroubles = 3

// Draw shows the troubles there are now. It reports whether the size of the banner may have changed.
func (b *Banner) Draw() bool {
	list := b.env.Troubles()
	if rest := len(list) - maxTroubles; rest > 1 {
		list = append(list[:maxTroubles:maxTroubles], Trouble{Text: words.L("… and %d more", rest),
			Button: words.L("Health"), Do: b.env.pageOpener("health")})
	}
	if slices.EqualFunc(list, b.shown, func(a, b Trouble) bool { return a.Text == b.Text && a.Button == b.Button }) {
		return false
	}
	b.shown = list
	b.Content.RemoveAll()
	for _, t := range list {
		b.Content.Add(TroubleRow(t))
	}
	if len(list) > 0 {
		b.Content.Add(widget.NewSeparator())
	}
	widgets.SetVisible(b.Content, len(list) > 0)
	return true
}

// TroubleRow shows a trouble with its icon and its button.
func TroubleRow(t Trouble) fyne.CanvasObject {
	var icon fyne.Resource = theme.NewErrorThemedResource(theme.ErrorIcon())
	if t.Warn {
		icon = theme.NewWarningThemedResource(theme.WarningIcon())
	}
	var button fyne.CanvasObject
	if t.Button != "" {
		button = container.NewVBox(widget.NewButton(t.Button, t.Do))
	}
	return container.NewBorder(nil, nil, container.NewVBox(widgets.Fixed(28, 34, widget.NewIcon(icon))), button,
		widgets.Wrapped(t.Text))
}
