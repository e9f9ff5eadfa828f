package health

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/maildoctor"
	"github.com/preroll/preroll/recorder/status"
)

// unmatchedList lists the unmatched mails, each with a button that assigns mails like it to a camera.
type unmatchedList struct {
	env     *page.Env
	content *fyne.Container
	drawn   string
}

func newUnmatchedList(env *page.Env) *unmatchedList {
	return &unmatchedList{env: env, content: container.NewVBox()}
}

// maxUnmatched is how many mails are listed.
const maxUnmatched = 10

func (p *unmatchedList) draw(s *status.Status) {
	if s == nil {
		return // nothing is known
	}
	list := s.SMTP.Unmatched
	key := fmt.Sprint(list)
	if key == p.drawn {
		return
	}
	p.drawn = key
	p.content.RemoveAll()
	if len(list) == 0 {
		l := widget.NewLabel(words.L("None."))
		l.Importance = widget.LowImportance
		p.content.Add(l)
	}
	for i, u := range list {
		if i == maxUnmatched {
			p.content.Add(widget.NewLabel(words.L("… and %d more", len(list)-i)))
			break
		}
		assign := widget.NewButtonWithIcon(words.L("Assign"), theme.ContentAddIcon(), func() { p.assign(u) })
		why := widgets.Wrapped(strings.Join(slices.DeleteFunc([]string{detailsOf(u), page.Capital(words.Say(u.Why))},
			func(s string) bool { return s == "" }), "\n"))
		why.Importance, why.SizeName = widget.LowImportance, theme.SizeNameCaptionText
		text := container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()*3), widgets.Wrapped(p.title(u)))
		if why.Text != "" {
			text.Add(why)
		}
		p.content.Add(container.NewBorder(nil, nil, nil, container.NewVBox(assign), text))
	}

	if len(list) > 0 {
		p.content.Add(container.NewHBox(widget.NewButtonWithIcon(words.L("Empty the list"), theme.DeleteIcon(), func() {
			p.env.Confirm(words.L("Empty the list?"),
				words.L("The mails themselves are long gone; only their list is forgotten."), words.L("Empty the list"),
				func() { p.env.Try(p.env.Client.DropUnmatched, nil) })
		})))
	}

	p.content.Refresh()
}

func (p *unmatchedList) title(u status.Unmatched) string {
	return words.L("%s from %s, sender %s, to %s: %s", words.Moment(u.Time, p.env.Now()), u.From, u.Sender,
		strings.Join(u.To, ", "), u.Subject)
}

// detailsOf returns the other facts that a mail contains, in one line.
func detailsOf(u status.Unmatched) string {
	var parts []string
	switch {
	case u.Channel != "" && u.Number != "":
		parts = append(parts, words.L("channel %s (%s)", u.Channel, u.Number))
	case u.Channel != "" || u.Number != "":
		parts = append(parts, words.L("channel %s", u.Channel+u.Number))
	}
	if u.Device != "" {
		parts = append(parts, words.L("device %s", u.Device))
	}
	if u.Login != "" {
		parts = append(parts, words.L("login %s", u.Login))
	}
	if u.Label != "" {
		parts = append(parts, words.Label(u.Label))
	}
	return strings.Join(parts, "  ·  ")
}

// waysToTell are the names of the properties that an entry can match.
var waysToTell = []struct {
	by   maildoctor.By
	text string
}{
	{maildoctor.Recipient, "Recipient"}, {maildoctor.Channel, "Name of the channel"},
	{maildoctor.Number, "Number of the channel"}, {maildoctor.Device, "Name of the device"},
	{maildoctor.Sender, "Sender"}, {maildoctor.Login, "Login"}, {maildoctor.Subject, "Text of the subject"},
	{maildoctor.Address, "Network address"},
}

// assignment is the dialog that assigns mails like one unmatched mail to a camera.
type assignment struct {
	p      *unmatchedList
	box    *dialog.CustomDialog
	camera *widget.Select
	by     *widget.RadioGroup
	entry  *widgets.Entry
	fault  *widget.Label
	ok     *widgets.Answer
	ids    []string
}

// assign asks which camera a mail belongs to, and by which property such mails are recognized.
func (p *unmatchedList) assign(u status.Unmatched) *assignment {
	s := p.env.Status
	if s == nil {
		return nil
	}
	a := &assignment{p: p, entry: widgets.NewEntry(p.env.Window, nil), fault: widgets.Wrapped("")}
	var names []string
	for _, c := range s.Cameras {
		names, a.ids = append(names, c.Name), append(a.ids, c.ID)
	}
	entries := maildoctor.Entries(u, s.SMTP.Unmatched)
	var ways []string
	for _, e := range entries {
		for _, way := range waysToTell {
			if way.by == e.By {
				ways = append(ways, words.L(way.text))
			}
		}
	}

	a.fault.Importance, a.fault.SizeName = widget.DangerImportance, theme.SizeNameCaptionText
	a.camera = widget.NewSelect(page.Distinct(names, a.ids), func(string) { a.check() })
	a.camera.PlaceHolder = words.L("Choose the camera")
	a.by = widget.NewRadioGroup(ways, func(way string) {
		if i := slices.Index(ways, way); i >= 0 {
			a.entry.SetText(entries[i].Text)
		}
	})
	a.by.Required = true
	a.entry.OnChanged = func(string) { a.check() }
	away := func() { a.box.Hide() }
	a.ok = widgets.NewAnswer(words.L("Assign"), a.apply, away)
	a.ok.Importance = widget.HighImportance
	body := container.NewVBox(widgets.Wrapped(p.title(u)),
		widgets.Field(words.L("Camera"), "", a.camera),
		widgets.Field(words.L("Recognise by"), "", a.by),
		widgets.Field(words.L("Mail name"),
			words.L(
				"This is added to the camera's mail names; edit it if you know better. From the next mail, everything that matches is an alarm of this camera."),
			container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), a.entry, a.fault)))
	a.box = dialog.NewCustomWithoutButtons(words.L("Assign to a camera"), container.NewVScroll(body), p.env.Window)
	no := widgets.NewAnswer(words.L("Cancel"), away, away)
	a.box.SetButtons([]fyne.CanvasObject{no, a.ok})
	if len(ways) > 0 {
		a.by.SetSelected(ways[0])
	}
	if len(names) == 1 {
		a.camera.SetSelectedIndex(0)
	}
	a.check()
	room := p.env.Window.Canvas().Size()
	a.box.Resize(fyne.NewSize(min(room.Width-60, 640), min(room.Height-40, body.MinSize().Height+150)))
	a.box.Show()
	if a.ok.Disabled() {
		p.env.Window.Canvas().Focus(no)
	} else {
		p.env.Window.Canvas().Focus(a.ok)
	}
	return a
}

// check shows what is wrong with the entry. It enables the button once everything is chosen.
func (a *assignment) check() {
	text := ""
	if err := maildoctor.Check(a.entry.Text); err != nil && strings.TrimSpace(a.entry.Text) != "" {
		text = page.Sentence(words.Error(err))
	}
	a.fault.SetText(text)
	widgets.SetVisible(a.fault, text != "")
	widgets.SetEnabled(a.ok, text == "" && strings.TrimSpace(a.entry.Text) != "" && a.camera.SelectedIndex() >= 0)
}

// apply adds the entry to the mail list of the camera.
func (a *assignment) apply() {
	id, entry := a.ids[a.camera.SelectedIndex()], strings.TrimSpace(a.entry.Text)
	a.box.Hide()
	assigned := false
	env := a.p.env
	env.Try(func(ctx context.Context) error {
		s, err := env.Client.Settings(ctx)
		if err != nil {
			return err
		}
		for i := range s.Cameras {
			c := &s.Cameras[i]
			if c.ID != id {
				continue
			}
			if len(c.Mail) == 0 {
				c.Mail = []string{c.ID}
			}
			if !slices.Contains(c.Mail, entry) {
				c.Mail = append(c.Mail, entry)
			}
		}

		err = env.Client.Apply(ctx, s)
		assigned = err == nil
		return err
	}, func() {
		if assigned {
			env.Toast(words.L("Assigned. It applies from the next mail."))
		}
	})
}
