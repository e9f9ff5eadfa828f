package settings

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/text"
)

// The fields of the settings page: what each field shows, where its value is stored, and what is wrong with it.

// textField is a text field. Below the field it shows the rule that the value breaks.
type textField struct {
	label string
	key   string // as in the engine's faults; "camera." stands for the chosen camera
	entry *widgets.Entry
	fault *widget.Label
	get   func(*config.Settings) string
	set   func(*config.Settings, string) error
	err   error // why the value cannot be read, or nil
	tab   int
	row   func(fyne.CanvasObject) fyne.CanvasObject // with the label and the hint
}

// line creates a text field with a label and a hint.
func (p *Page) line(key, label, hint, example string, get func(*config.Settings) string,
	set func(*config.Settings, string) error) (*textField, fyne.CanvasObject) {
	f := &textField{label: label, key: key, entry: widgets.NewEntry(p.env.Window, nil), fault: widget.NewLabel(""),
		get: get, set: set, tab: p.adding}
	f.entry.SetPlaceHolder(example)
	f.entry.AlwaysShowValidationError = true
	f.fault.Wrapping, f.fault.Importance, f.fault.SizeName = fyne.TextWrapWord, widget.DangerImportance,
		theme.SizeNameCaptionText
	f.fault.Hide()
	f.entry.OnChanged = func(v string) {
		if p.filling {
			return
		}
		f.err = f.set(&p.edit, strings.TrimSpace(v))
		p.check()
	}

	p.fields = append(p.fields, f)
	f.row = func(o fyne.CanvasObject) fyne.CanvasObject { return widgets.Field(label, hint, o) }
	return f, f.row(container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), f.entry, f.fault))
}

// camera creates a text field of the chosen camera.
func (p *Page) camera(key, label, hint, example string, get func(config.Camera) string,
	set func(*config.Camera, string) error) (*textField, fyne.CanvasObject) {
	return p.line("camera."+key, label, hint, example, func(s *config.Settings) string {
		if p.chosen < 0 || p.chosen >= len(s.Cameras) {
			return ""
		}
		return get(s.Cameras[p.chosen])
	}, func(s *config.Settings, v string) error {
		if p.chosen < 0 || p.chosen >= len(s.Cameras) {
			return nil
		}
		return set(&s.Cameras[p.chosen], v)
	})
}

// change edits the chosen camera, unless the fields are being filled.
func (p *Page) change(f func(*config.Camera)) {
	if p.filling || p.chosen < 0 || p.chosen >= len(p.edit.Cameras) {
		return
	}
	f(&p.edit.Cameras[p.chosen])
	p.check()
}

// ownLength creates a field for a length of the chosen camera. Empty means the length on the tab Recording.
func (p *Page) ownLength(key, label string,
	of func(*config.Camera) **config.Duration) (*textField, fyne.CanvasObject) {
	return p.camera(key, label, "", words.L("as for all cameras"), func(c config.Camera) string {
		if d := *of(&c); d != nil {
			return shown(d.String())
		}
		return ""
	}, func(c *config.Camera, v string) error {
		if v == "" {
			*of(c) = nil
			return nil
		}
		var d config.Duration
		if err := d.UnmarshalText([]byte(typed(v, shown("10s")))); err != nil {
			return err
		}
		*of(c) = &d
		return nil
	})
}

// value creates a field with a slider for a duration or a size, which parse and format themselves.
func (p *Page) value(key, label, hint, example string, stops []string,
	of func(*config.Settings) textValue) fyne.CanvasObject {
	get := func(s *config.Settings) string {
		b, _ := of(s).MarshalText()
		return shown(string(b))
	}
	f, _ := p.line(key, label, hint, example, get, func(s *config.Settings, v string) error {
		return of(s).UnmarshalText([]byte(typed(v, get(&p.base))))
	})
	return p.withSlider(f, f.row, stops)
}

// textValue is a value that parses and formats itself.
type textValue = interface {
	MarshalText() ([]byte, error)
	UnmarshalText([]byte) error
}

// check marks every field whose value breaks a rule of the engine.
func (p *Page) check() {
	if !p.loaded {
		return
	}
	faults := config.Validate(p.edit)
	bad := map[int]bool{}
	for _, f := range p.fields {
		err := f.err
		for _, x := range faults {
			if err == nil && p.means(x.Key, f) {
				err = &text.Error{Text: x.Rule}
			}
		}
		text := ""
		if err != nil {
			text = words.Error(err)
			bad[f.tab] = true
		}
		if f.fault.Text != text {
			f.fault.SetText(text)
			f.entry.SetValidationError(err)
			widgets.SetVisible(f.fault, text != "")
			p.tabs.Refresh()
		}
	}

	p.markTabs(bad)
	if p.edited() && p.message.Text == words.L("Saved.") {
		p.say("", widget.MediumImportance)
	}
	p.OnEdited(p.edited())
	p.draw()
}

// markTabs marks the tabs with values that are not valid.
func (p *Page) markTabs(bad map[int]bool) {
	changed := false
	for i, t := range p.tabs.Items {
		var icon fyne.Resource
		if bad[i] {
			icon = theme.NewErrorThemedResource(theme.ErrorIcon())
		}
		for _, a := range p.folded[i] {
			if bad[i] {
				a.Open(0)
			}
		}
		if (t.Icon == nil) != (icon == nil) {
			t.Icon, changed = icon, true
		}
	}
	if changed {
		p.tabs.Refresh()
	}
}

// means reports whether the key of a fault belongs to the field.
func (p *Page) means(key string, f *textField) bool {
	if i := strings.IndexByte(key, '['); i >= 0 && !strings.HasPrefix(key, "camera[") {
		key = key[:i] // an element of a list, such as smtp.allow[2]
	}
	if rest, ok := strings.CutPrefix(key, fmt.Sprintf("camera[%d].", p.chosen+1)); ok {
		rest, _, _ = strings.Cut(rest, "[")
		return f.key == "camera."+rest
	}
	return key == f.key
}
