package page

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
)

// TestEscapePutsTheVolumeAway opens the slider of the volume, which keeps its keys, and closes it.
func TestEscapePutsTheVolumeAway(t *testing.T) {
	a := test.NewTempApp(t)
	env := &Env{App: a, Window: a.NewWindow("Preroll"), Do: func(f func()) { f() }}
	v := NewPlayer(env)
	env.Window.SetContent(v.Content)
	env.Window.Resize(fyne.NewSize(800, 600))
	v.volume = 0.4
	v.askVolume()
	c := env.Window.Canvas()
	s, ok := c.Focused().(*volume)
	if !ok || s.Value != 0.4 {
		t.Fatalf("%T has the keys", c.Focused())
	}
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	if v.volume < 0.44 {
		t.Errorf("volume %v after a step to the right", v.volume)
	}
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if c.Overlays().Top() != nil || c.Focused() != v.Line {
		t.Errorf("%T lies over the player, %T has the keys", c.Overlays().Top(), c.Focused())
	}
}
