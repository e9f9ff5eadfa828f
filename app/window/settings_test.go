package window

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
)

// unlisted are settings that the page shows otherwise than by a field with their key, or not at all.
var unlisted = []string{
	"version",                                         // of the file's form
	"language",                                        // a choice
	"archive.group", "smtp.old_tls", "smtp.keep_mail", // check boxes
	"notify.alarm", "notify.saved", "notify.trouble", // check boxes
	"camera.id",                                                        // made of the name
	"camera.enabled", "camera.audio", "camera.notify", "camera.ingest", // boxes, a choice, a button
}

// TestEverySettingHasAField wants a field for each setting.
func TestEverySettingHasAField(t *testing.T) {
	w := rig(t, &fake{settings: config.Default()})
	var keys []string
	for _, f := range w.settings.fields {
		keys = append(keys, f.key)
	}
	var walk func(prefix string, v reflect.Type)
	walk = func(prefix string, v reflect.Type) {
		for i := range v.NumField() {
			f := v.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			key := prefix + name
			switch {
			case name == "" || name == "-":
			case name == "camera":
				walk("camera.", f.Type.Elem())
			case f.Type.Kind() == reflect.Struct:
				walk(key+".", f.Type)
			case slices.Contains(keys, key) == slices.Contains(unlisted, key):
				t.Errorf("%s has a field: %t, is unlisted: %t", key, slices.Contains(keys, key),
					slices.Contains(unlisted, key))
			}
		}
	}
	walk("", reflect.TypeFor[config.Settings]())
}

// TestLabelsFit wants the label of each field to be shown whole, in every language.
func TestLabelsFit(t *testing.T) {
	t.Cleanup(func() { words.Use("en") })
	for _, language := range config.Languages {
		words.Use(language)
		w := rig(t, &fake{settings: config.Default()})
		for _, page := range []fyne.CanvasObject{w.settings.content, w.guide.content} {
			for _, o := range test.LaidOutObjects(page) {
				l, ok := o.(*widget.Label)
				if !ok || l.Truncation != fyne.TextTruncateEllipsis {
					continue
				}
				whole := widget.NewLabelWithStyle(l.Text, l.Alignment, l.TextStyle)
				whole.SizeName = l.SizeName
				if got := whole.MinSize().Width; got > labelWidth && l.Size().Width <= labelWidth {
					t.Errorf("%s: %q needs %.0f points, and has %d", language, l.Text, got, labelWidth)
				}
			}
		}
	}
}
