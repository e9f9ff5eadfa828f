package settings

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
)

// The values that the sliders offer, as they are written in the settings. Any other value can be typed beside.
var (
	preRolls  = []string{"0s", "2s", "5s", "8s", "10s", "15s", "20s", "30s", "45s", "1m"}
	postRolls = []string{"5s", "10s", "15s", "20s", "30s", "45s", "1m", "90s", "2m", "3m", "5m"}
	longest   = []string{"1m", "2m", "5m", "10m", "15m", "30m", "1h"}
	rings     = []string{"30s", "45s", "1m", "100s", "2m", "3m", "5m", "10m"}
	budgets   = []string{"256MiB", "512MiB", "1GiB", "2GiB", "4GiB", "8GiB", "16GiB"}
	ages      = []string{"1d", "3d", "7d", "14d", "30d", "60d", "90d", "180d", "365d", ""}
	sizes     = []string{"10GB", "20GB", "50GB", "100GB", "200GB", "500GB", "1TB", "2TB", "4TB", ""}
	frees     = []string{"", "1GiB", "2GiB", "5GiB", "10GiB", "20GiB", "50GiB", "100GiB"}
)

// withSlider puts a slider beside a field. The slider stands on the value that is nearest to the one in the field.
func (p *Page) withSlider(f *textField, row func(fyne.CanvasObject) fyne.CanvasObject,
	stops []string) fyne.CanvasObject {
	s := widget.NewSlider(0, float64(len(stops)-1))
	s.Step = 1
	setting := false // the slider follows the field
	follow := func(v string) {
		setting = true
		s.SetValue(float64(nearest(stops, typed(strings.TrimSpace(v), f.get(&p.base)))))
		setting = false
	}
	s.OnChanged = func(at float64) {
		if !setting && !p.filling {
			f.entry.SetText(shown(stops[int(at)]))
		}
	}
	follow(f.entry.Text) // an empty field stays as it is when it is filled
	set := f.entry.OnChanged
	f.entry.OnChanged = func(v string) {
		follow(v)
		set(v)
	}
	return row(container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()),
		container.NewBorder(nil, nil, nil, widgets.Fixed(120, 0, f.entry), s), f.fault))
}

// nearest returns the index of the stop that is nearest to a value, in ratio.
func nearest(stops []string, value string) int {
	if i := slices.Index(stops, value); i >= 0 {
		return i
	}
	v, ok := amount(value)
	best, far := 0, math.Inf(1)
	for i, s := range stops {
		if a, known := amount(s); ok && known {
			if d := math.Abs(math.Log((a + 1) / (v + 1))); d < far {
				best, far = i, d
			}
		}
	}
	return best
}

// amount returns the number that a length of time or a size stands for.
func amount(text string) (float64, bool) {
	if text == "" {
		return 0, false
	}
	var d config.Duration
	if d.UnmarshalText([]byte(text)) == nil {
		return d.D().Seconds(), true
	}
	var b config.ByteSize
	if b.UnmarshalText([]byte(text)) == nil {
		return float64(b), true
	}
	return 0, false
}

// --- What few people need ---

// advanced folds what few people need away. It opens by itself if a value in the tab is not valid.
func (p *Page) advanced(rows ...fyne.CanvasObject) fyne.CanvasObject {
	a := widget.NewAccordion(widget.NewAccordionItem(words.L("Advanced"), container.NewVBox(rows...)))
	p.folded[p.adding] = append(p.folded[p.adding], a)
	return a
}

// --- Times of day ---

// withTimes shows two times of day instead of a field that holds both, such as 22:00-07:00.
func (p *Page) withTimes(f *textField) fyne.CanvasObject {
	var hours []string
	for h := range 24 {
		hours = append(hours, fmt.Sprintf("%02d:00", h), fmt.Sprintf("%02d:30", h))
	}
	from, to := widget.NewSelect(hours, nil), widget.NewSelect(hours, nil)
	from.PlaceHolder, to.PlaceHolder = "22:00", "07:00"
	on := widget.NewCheck(words.L("from"), nil)
	setting := false // the times follow the field
	show := func(v string) {
		setting = true
		first, last, both := strings.Cut(strings.TrimSpace(v), "-")
		on.SetChecked(both)
		for s, text := range map[*widget.Select]string{from: first, to: last} {
			if text = strings.TrimSpace(text); text != "" && !slices.Contains(s.Options, text) {
				s.SetOptions(slices.Sorted(slices.Values(append(slices.Clone(hours), text))))
			}
			s.SetSelected(text)
			widgets.SetEnabled(s, both)
		}
		setting = false
	}
	changed := func() {
		switch {
		case setting || p.filling:
		case on.Checked:
			f.entry.SetText(cmp.Or(from.Selected, "22:00") + "-" + cmp.Or(to.Selected, "07:00"))
		default:
			f.entry.SetText("")
		}
	}
	on.OnChanged = func(bool) { changed() }
	from.OnChanged, to.OnChanged = func(string) { changed() }, func(string) { changed() }
	typed := f.entry.OnChanged
	f.entry.OnChanged = func(v string) {
		show(v)
		typed(v)
	}
	show("")
	return f.row(container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), container.NewHBox(on,
		widgets.Fixed(110, 0, from), widget.NewLabel(words.L("to")), widgets.Fixed(110, 0, to)), f.fault))
}
