package page

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// CameraTest connects to a camera with the typed settings. It shows a picture, or what is wrong.
type CameraTest struct {
	env     *Env
	Content *fyne.Container
	button  *widgets.Answer
	result  *widget.Label
	advice  *widget.Label
	picture *canvas.Image
	camera  func() config.Camera
	Done    func(ok bool) // called with each result; may be nil
	asked   int           // number of the last test; earlier results are dropped
}

// NewCameraTest makes the button and the result of a test of the camera that camera returns.
func NewCameraTest(env *Env, camera func() config.Camera) *CameraTest {
	t := &CameraTest{env: env, camera: camera}
	t.button = widgets.NewAnswer(words.L("Test camera"), t.Run, nil)
	t.button.Icon = theme.SearchIcon()
	t.result, t.advice = widget.NewLabel(""), widget.NewLabel("")
	t.result.Wrapping, t.advice.Wrapping = fyne.TextWrapWord, fyne.TextWrapWord
	t.picture = canvas.NewImageFromImage(nil)
	t.picture.FillMode = canvas.ImageFillContain
	t.picture.SetMinSize(fyne.NewSize(280, 158))
	t.Content = container.NewVBox(container.NewHBox(t.button), t.result, t.advice, t.picture)
	t.Clear()
	return t
}

// Clear removes the last result.
func (t *CameraTest) Clear() {
	t.asked++
	t.button.Enable()
	t.result.Hide()
	t.advice.Hide()
	t.picture.Hide()
	t.Content.Refresh()
}

// Run tests the camera, unless a test runs.
func (t *CameraTest) Run() {
	if t.button.Disabled() {
		return
	}
	c := t.camera()
	t.Clear()
	if rule := config.CheckURL(c.URL); !rule.IsZero() {
		t.showResult(words.L("The address %s", words.Say(rule)), "", widget.DangerImportance)
		return
	}
	t.button.Disable()
	t.showResult(words.L("Connecting to the camera. It is watched for some seconds …"), "", widget.MediumImportance)
	asked := t.asked
	t.env.Work.Go(func() {
		l, err := t.env.Client.Probe(t.env.Ctx, c)
		t.env.Do(func() {
			if asked != t.asked {
				return
			}
			t.button.Enable()
			if err != nil {
				text, hint := words.Error(err), ""
				var e *control.Error
				if errors.As(err, &e) {
					text, hint = words.Say(e.Text), words.Say(e.Hint)
				}
				t.showResult(text, hint, widget.DangerImportance)
			} else {
				text, advice := lookOf(l)
				t.showResult(text, advice, widget.SuccessImportance)
				if m, err := jpeg.Decode(bytes.NewReader(l.Picture)); err == nil {
					t.picture.Image = m
					t.picture.Refresh()
					t.picture.Show()
				}
			}
			t.Content.Refresh()
			if t.Done != nil {
				t.Done(err == nil)
			}
		})
	})
}

// lookOf says what a camera sent, and what could be better.
func lookOf(l status.ProbeResult) (text, advice string) {
	parts := []string{strings.ToUpper(l.Streams.Video), fmt.Sprintf("%d × %d", l.Streams.Width, l.Streams.Height)}
	if l.Streams.FPS > 0 {
		parts = append(parts, words.L("%.0f frames a second", l.Streams.FPS))
	}
	if l.BitRate > 0 {
		parts = append(parts, words.L("%.1f Mbit/s", l.BitRate/1e6))
	}
	if l.GOP > 0 {
		parts = append(parts, words.L("a keyframe every %.1f s", l.GOP.D().Seconds()))
	} else {
		parts = append(parts, words.L("no second keyframe in the time it was watched"))
	}
	if l.Streams.Audio != "" {
		parts = append(parts, words.L("sound %s", strings.ToUpper(l.Streams.Audio)))
	} else {
		parts = append(parts, words.L("no sound"))
	}
	if gop := l.GOP.D().Seconds(); gop > 4 || gop == 0 {
		advice = words.L(
			"Keyframes are rare: clips begin up to that much earlier than asked, and take more RAM. Set the camera's I-frame interval to 1 or 2 seconds.")
	}
	return words.L("It works: %s.", strings.Join(parts, ", ")), advice
}

func (t *CameraTest) showResult(text, advice string, i widget.Importance) {
	t.result.Importance = i
	t.result.SetText(text)
	t.result.Show()
	t.advice.SetText(advice)
	widgets.SetVisible(t.advice, advice != "")
	t.Content.Refresh()
}
