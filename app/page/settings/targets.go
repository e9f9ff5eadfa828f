package settings

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
	"github.com/preroll/preroll/recorder/config"
)

// The part of the tab Notifications with the phones and programs that get word of alarms.

// kindNames are the names of config.TargetKinds.
var kindNames = []string{"ntfy", "Gotify", "Pushover", "Telegram", "Webhook"}

func (p *Page) targetsForm() fyne.CanvasObject {
	p.targets = container.NewVBox()
	p.away = widget.NewCheck(words.L("I am away"), func(on bool) {
		if !p.filling {
			p.env.Try(func(ctx context.Context) error { return p.env.Client.SetAway(ctx, on) }, func() {})
		}
	})
	add := widget.NewButtonWithIcon(words.L("Add a phone or program"), theme.ContentAddIcon(), func() {
		t := config.NewTarget()
		t.ID = config.NewID("target", p.targetIDs())
		p.editTarget(t)
	})
	return container.NewVBox(widgets.Heading(words.L("Phones and programs")),
		widgets.Field("",
			words.L(
				"They get word of alarms wherever they are, by a service of your choice. The recorder sends it, whether this window is open or not."),
			p.targets), widgets.Field("", "", container.New(&widgets.Flow{}, add, p.away)))
}

// targetIDs returns the ids that a new target cannot have. Word for a removed one may still wait.
func (p *Page) targetIDs() (ids []string) {
	for _, t := range slices.Concat(p.edit.Targets, p.base.Targets) {
		ids = append(ids, t.ID)
	}
	return ids
}

// target returns a target as it is edited now. There is one, as its row is shown.
func (p *Page) target(id string) config.Target {
	i := slices.IndexFunc(p.edit.Targets, func(t config.Target) bool { return t.ID == id })
	return p.edit.Targets[i]
}

// showTargets shows a row for each target, if the rows say something else than before.
func (p *Page) showTargets() {
	says := "rows"
	for _, t := range p.edit.Targets {
		says += "\n" + t.ID + titleOf(t) + p.targetState(t) + fmt.Sprint(p.isSaved(t))
	}
	if says == p.targeted {
		return
	}
	p.targeted = says
	p.targets.RemoveAll()
	if len(p.edit.Targets) == 0 {
		p.targets.Add(widgets.Wrapped(words.L("None yet.")))
	}
	for _, t := range p.edit.Targets {
		name := widget.NewLabel(titleOf(t))
		name.Truncation = fyne.TextTruncateEllipsis
		detail := widget.NewLabel(p.targetState(t))
		detail.Truncation, detail.SizeName, detail.Importance = fyne.TextTruncateEllipsis, theme.SizeNameCaptionText,
			widget.LowImportance
		try := widget.NewButton(words.L("Try"), nil)
		try.OnTapped = func() {
			try.Disable()
			done := false
			p.env.Try(func(ctx context.Context) error {
				err := p.env.Client.TryTarget(ctx, t.ID)
				done = err == nil
				return err
			}, func() {
				try.Enable()
				if done {
					p.env.Toast(words.L("A test is on its way to %s.", titleOf(t)))
				}
			})
		}
		widgets.SetEnabled(try, p.isSaved(t))
		edit := widgets.NewIcon(theme.DocumentCreateIcon(), words.L("Edit"), func() { p.editTarget(p.target(t.ID)) })
		remove := widgets.NewIcon(theme.DeleteIcon(), words.L("Remove"), func() {
			p.edit.Targets = slices.DeleteFunc(slices.Clone(p.edit.Targets), func(o config.Target) bool {
				return o.ID == t.ID
			})
			p.check()
			p.showTargets()
		})
		p.targets.Add(container.NewBorder(nil, nil, nil, container.NewCenter(container.NewHBox(try, edit, remove)),
			container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), name, detail)))
	}
	p.targets.Refresh()
}

// isSaved reports whether the recorder sends word to a target as it is edited. A test goes where word goes.
func (p *Page) isSaved(t config.Target) bool {
	return slices.ContainsFunc(p.base.Targets, func(o config.Target) bool {
		return o.ID == t.ID && o.Kind == t.Kind && o.URL == t.URL && o.User == t.User && o.Token == t.Token
	})
}

func titleOf(t config.Target) string {
	if t.Name != "" {
		return t.Name
	}
	return t.ID
}

// targetState says where word of a target goes, and how that is.
func (p *Page) targetState(t config.Target) string {
	kind := t.Kind
	if i := slices.Index(config.TargetKinds, t.Kind); i >= 0 {
		kind = kindNames[i]
	}
	parts := []string{kind}
	if !t.Enabled {
		return strings.Join(append(parts, words.L("switched off")), "  ·  ")
	}
	if s := p.env.Status; s != nil {
		for _, now := range s.Targets {
			switch {
			case now.ID != t.ID:
			case !now.Error.IsZero():
				parts = append(parts, words.Say(now.Error))
			case now.Sent > 0:
				parts = append(parts, words.L("%d sent since the start", now.Sent))
			}
		}
	}
	return strings.Join(parts, "  ·  ")
}

// editTarget edits a target, which may be new. It counts once the settings are saved.
func (p *Page) editTarget(t config.Target) {
	tokenWas := t.Token
	text := func(value, example string) *widgets.Entry {
		e := widgets.NewEntry(p.env.Window, nil)
		e.SetText(value)
		e.SetPlaceHolder(example)
		return e
	}
	name, address, user := text(t.Name, words.L("My phone")), text(t.URL, ""), text(t.User, "")
	token := text("", "")
	token.Password = true
	if tokenWas == config.Unchanged {
		token.SetPlaceHolder(words.L("saved; type to change it"))
	} else {
		token.SetText(t.Token.Reveal())
	}
	userRow := widgets.Field(words.L("User or chat"), words.L("the user key of Pushover, or the chat of Telegram"),
		user)
	kind := widget.NewSelect(kindNames, func(string) {})
	quiet := text(t.Quiet, words.L("never quiet"))
	enabled, alarm, saved := check(words.L("In use"), t.Enabled), check(words.L("Alarms"), t.Alarm),
		check(words.L("Saved clips"), t.Saved)
	trouble, picture := check(words.L("Troubles"), t.Trouble), check(words.L("With a picture"), t.Picture)
	outside := check(words.L("Only while I am away"), t.Away)
	fault := widgets.Wrapped("")
	fault.Importance, fault.SizeName = widget.DangerImportance, theme.SizeNameCaptionText

	var d *dialog.CustomDialog
	away := func() { d.Hide() }
	read := func() config.Target {
		t.Name, t.URL, t.User = strings.TrimSpace(name.Text), strings.TrimSpace(address.Text),
			strings.TrimSpace(user.Text)
		t.Kind, t.Quiet = config.TargetKinds[max(0, kind.SelectedIndex())], strings.TrimSpace(quiet.Text)
		t.Token = config.Secret(strings.TrimSpace(token.Text))
		if t.Token == "" && tokenWas == config.Unchanged {
			t.Token = tokenWas
		}
		t.Enabled, t.Alarm, t.Saved = enabled.Checked, alarm.Checked, saved.Checked
		t.Trouble, t.Picture, t.Away = trouble.Checked, picture.Checked, outside.Checked
		return t
	}
	ok := widgets.NewAnswer(words.L("Done"), func() {
		list := slices.Clone(p.edit.Targets)
		if i := slices.IndexFunc(list, func(o config.Target) bool { return o.ID == t.ID }); i >= 0 {
			list[i] = read()
		} else {
			list = append(list, read())
		}
		p.edit.Targets = list
		d.Hide()
		p.check()
		p.showTargets()
	}, away)
	ok.Importance = widget.HighImportance
	judge := func() {
		said := ""
		for _, f := range config.ValidateTarget(read()) {
			said = page.Sentence(targetField(f.Key) + " " + words.Say(f.Rule))
			break
		}
		fault.SetText(said)
		widgets.SetEnabled(ok, said == "")
	}
	kind.OnChanged = func(string) {
		k := config.TargetKinds[max(0, kind.SelectedIndex())]
		widgets.SetVisible(userRow, k == config.Pushover || k == config.Telegram)
		address.SetPlaceHolder(map[string]string{config.Ntfy: "https://ntfy.sh/" + words.L("a-secret-topic"),
			config.Gotify: "https://gotify.example.org", config.Webhook: "https://example.org/hook"}[k])
		if a := (config.Target{Kind: k}).Address(); a != "" {
			address.SetPlaceHolder(a)
		}
		judge()
	}
	for _, e := range []*widgets.Entry{name, address, user, token, quiet} {
		e.OnChanged = func(string) { judge() }
	}
	kind.SetSelectedIndex(max(0, slices.Index(config.TargetKinds, t.Kind)))

	body := container.NewVBox(widgets.Field(words.L("Name"), "", name), widgets.Field(words.L("Service"), "", kind),
		widgets.Field(words.L("Address"), "", address), userRow,
		widgets.Field(words.L("Token"), words.L("what the service gives; ntfy needs none for an open topic"), token),
		widgets.Field(words.L("Tell of"), "", container.New(&widgets.Flow{}, alarm, saved, trouble)),
		widgets.Field("", "", container.New(&widgets.Flow{}, picture, outside, enabled)),
		widgets.Field(words.L("Quiet hours"), words.L("such as 22:00-07:00; word of these hours is not sent"), quiet),
		fault)
	d = dialog.NewCustomWithoutButtons(words.L("Phone or program"), container.NewVScroll(body), p.env.Window)
	d.SetButtons([]fyne.CanvasObject{widgets.NewAnswer(words.L("Cancel"), away, away), ok})
	room := p.env.Window.Canvas().Size()
	d.Resize(fyne.NewSize(min(room.Width-60, 640), min(room.Height-40, body.MinSize().Height+150)))
	d.Show()
	p.env.Window.Canvas().Focus(name)
}

// targetField returns the label of the field with a key.
func targetField(key string) string {
	switch key {
	case "url":
		return words.L("Address")
	case "user":
		return words.L("User or chat")
	case "token":
		return words.L("Token")
	case "quiet":
		return words.L("Quiet hours")
	}
	return words.L("Name")
}

func check(label string, on bool) *widget.Check {
	c := widget.NewCheck(label, nil)
	c.Checked = on
	return c
}
