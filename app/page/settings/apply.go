package settings

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Saving the edited settings.

func (p *Page) say(text string, i widget.Importance) {
	if p.message.Text == text && p.message.Importance == i {
		return
	}
	p.message.Importance = i
	p.message.SetText(text)
	p.content.Refresh()
}

// apply saves the edited settings and shows each fault at its field.
func (p *Page) apply() {
	if faults := config.Validate(p.edit); faults != nil {
		p.say(p.explain(&control.Error{Faults: faults}), widget.DangerImportance)
		p.showFirst(faults)
		return
	}
	for _, f := range p.fields {
		if f.err != nil {
			p.say(words.L("One value is not valid: see the field marked in red."), widget.DangerImportance)
			p.tabs.SelectIndex(f.tab)
			return
		}
	}
	p.saving = true
	p.save.Disable()
	p.say(words.L("Saving …"), widget.MediumImportance)
	s, base, wish, was, replace := p.edit.Clone(), p.base, p.wish, p.prefs, p.replace
	var fresh config.Settings
	p.env.Work.Go(func() {
		stored, err := p.store(s, base, replace, &fresh)
		now, serr := p.env.Client.Status(p.env.Ctx)
		if serr != nil {
			now = status.Status{}
		}
		if err == nil && wish.login != was.login {
			err = host.StartAtLogin(wish.login, p.env.Paths.File)
		}
		p.env.Do(func() {
			p.saving = false
			widgets.SetEnabled(p.save, p.env.Status != nil)
			p.replace = nil
			if errors.Is(err, errElsewhere) {
				p.replace = &fresh
			}
			if stored {
				p.base = s
			}
			if err != nil {
				p.say(p.explain(err), widget.DangerImportance)
				return
			}
			prefs := p.env.App.Preferences()
			prefs.SetString(widgets.PrefTheme, wish.theme)
			prefs.SetFloat(widgets.PrefText, wish.text)
			if wish.theme != was.theme {
				p.env.App.Settings().SetTheme(widgets.Appearance{Theme: theme.DefaultTheme(), Variant: wish.theme,
					Scale: float32(was.text)})
			}
			p.prefs = wish
			if !reflect.DeepEqual(p.edit, s) { // the user edited on in the meantime
				p.say(words.L("Saved."), widget.SuccessImportance)
				return
			}
			p.showSettings(fresh)
			p.savedAt = p.env.Now()
			p.saySaved(now)
			if wish.text != was.text || fresh.Language != base.Language {
				p.reopen()
			}
		})
	})
}

// reopen opens the window again, because what is drawn keeps its language, and in part its size.
func (p *Page) reopen() {
	at := page.SettingsTab(p.tabs.SelectedIndex())
	p.env.Work.Go(func() {
		if !p.env.Reopen(at) {
			p.env.Do(func() {
				p.savedAt = time.Time{}
				p.say(words.L("Saved. It takes effect when the window is opened again."), widget.SuccessImportance)
			})
		}
	})
}

// saySaved says that the settings are saved, and what does not work with them. It says nothing once that was to be read
// and nothing was wrong.
func (p *Page) saySaved(now status.Status) {
	if p.savedAt.IsZero() || p.edited() || p.saving {
		return
	}
	late := p.env.Now().Sub(p.savedAt) > judgeTime
	warned := p.message.Importance == widget.WarningImportance
	for _, problem := range now.Problems {
		switch problem.Code {
		case "smtp", "calls", "web", "ffmpeg", "ram-gone", "archive", "archive-gone":
			if warned || !late {
				p.say(words.L("Saved, but: %s", page.ProblemOf(&now, problem)), widget.WarningImportance)
			}
			return
		}
	}
	if late && !warned {
		p.savedAt = time.Time{}
		p.say("", widget.MediumImportance)
		return
	}
	if late {
		p.savedAt = p.env.Now()
	}
	p.say(words.L("Saved."), widget.SuccessImportance)
}

// judgeTime is how long after they are saved settings are judged by what the recorder says of itself, such as that a
// port is taken.
const judgeTime = 15 * time.Second

// showFirst turns to the tab of the first value that is not valid, unless one is on this tab.
func (p *Page) showFirst(faults config.ValidationErrors) {
	tab := -1
	for _, x := range faults {
		for _, f := range p.fields {
			if p.means(x.Key, f) && (tab < 0 || f.tab == p.tabs.SelectedIndex()) {
				tab = f.tab
			}
		}
	}
	if tab >= 0 {
		p.tabs.SelectIndex(tab)
	}
}

var errElsewhere = errors.New("the settings were changed elsewhere meanwhile")

// store puts what was edited in force, and reports whether it is. What was changed elsewhere after editing began stays,
// unless it is the same value. Then store returns errElsewhere, and what is in force in fresh; if replace is the same,
// the user knows it and the edited value replaces it.
func (p *Page) store(s, base config.Settings, replace, fresh *config.Settings) (stored bool, err error) {
	ctx := context.WithoutCancel(p.env.Ctx) // closing the window must not stop this half way
	if *fresh, err = p.env.Client.Settings(ctx); err != nil {
		return false, err
	}
	s, conflict := config.Merge(base, s, *fresh)
	if conflict && (replace == nil || !reflect.DeepEqual(*replace, *fresh)) {
		return false, errElsewhere
	}
	if err := p.env.Client.Apply(ctx, s); err != nil {
		return false, err
	}
	*fresh, err = p.env.Client.Settings(ctx)
	return true, err
}

// explain turns the recorder's refusal into lines for people, and marks the fields with faults.
func (p *Page) explain(err error) string {
	if errors.Is(err, errElsewhere) {
		return words.L(
			"A value that you changed was also changed elsewhere. Press Save again to replace it by what you see here, or Cancel to see the other.")
	}
	var e *control.Error
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		return words.Error(err)
	}
	var lines []string
	for _, x := range e.Faults {
		name := x.Key
		for _, f := range p.fields {
			if p.means(x.Key, f) {
				name = f.label
				f.entry.SetValidationError(&text.Error{Text: x.Rule})
				f.fault.SetText(words.Say(x.Rule))
				f.fault.Show()
			}
		}

		var n int
		var rest string
		if _, serr := fmt.Sscanf(strings.NewReplacer("camera[", "", "].", " ").Replace(x.Key), "%d %s", &n,
			&rest); serr == nil && n >= 1 && n <= len(p.edit.Cameras) {
			for _, f := range p.fields {
				if f.key == "camera."+rest {
					rest = f.label
				}
			}
			name = p.edit.Cameras[n-1].Title() + ", " + rest
		}
		lines = append(lines, name+" "+words.Say(x.Rule)+".")
	}

	p.tabs.Refresh()
	return strings.Join(lines, "\n")
}
