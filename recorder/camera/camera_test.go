package camera

import (
	"reflect"
	"slices"
	"testing"

	"github.com/preroll/preroll/recorder/config"
)

// TestWhatConnectsAgain checks that a setting that does not concern the stream does not reconnect the camera, because a
// new connection leaves a gap.
func TestWhatConnectsAgain(t *testing.T) {
	stream := []string{"URL", "Username", "Password", "Audio", "Ingest"}
	second := config.Duration(1)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Camera]()) {
		var a, b config.Camera
		v := reflect.ValueOf(&b).Elem().FieldByIndex(f.Index)
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int64:
			v.SetInt(1)
		case reflect.Slice:
			v.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Pointer:
			v.Set(reflect.ValueOf(&second))
		default:
			t.Fatalf("got a field %s of an unknown kind; say here whether it connects again", f.Name)
		}
		if got, want := !sameSource(a, b), slices.Contains(stream, f.Name); got != want {
			t.Errorf("%s: connects again is %v, want %v", f.Name, got, want)
		}
	}
}
