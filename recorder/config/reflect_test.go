package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// fill gives every setting a value that is not its default.
func fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *Duration:
		*x += Duration(7 * time.Second)
		return
	case *ByteSize:
		*x += 3 * MiB
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		panic("a setting of kind " + v.Kind().String())
	}
}

func filled() Settings {
	s := Default()
	s.Cameras = []Camera{NewCamera()}
	fill(reflect.ValueOf(&s).Elem())
	return s
}

// TestEverySettingIsSaved: what is saved is read again, each setting of it.
func TestEverySettingIsSaved(t *testing.T) {
	want := filled()
	// what a file must have to be valid
	want.Version, want.Language, want.Notify.Quiet = Version, "de", "22:00-07:00"
	want.RAMDisk.Path, want.Archive.Path = rooted("ram"), rooted("archive")
	want.SMTP.Listen, want.SMTP.ListenTLS, want.SMTP.Allow = ":2525", ":465", []string{"private", "192.0.2.0/24"}
	for i := range want.Targets {
		x := &want.Targets[i]
		x.ID, x.Kind, x.URL, x.Quiet = fmt.Sprint("target", i), Webhook, "https://192.0.2.1/x", "22:00-07:00"
	}
	want.Calls = Calls{Listen: ":8025", Allow: []string{"any"}}
	want.Web = Web{Listen: ":8443", Allow: []string{"any"}, URL: "https://a.example/x", Proxies: []string{"::1"}}
	for i := range want.Cameras {
		c := &want.Cameras[i]
		c.ID, c.URL, c.Ingest = fmt.Sprint("cam", i), "rtsp://192.0.2.1/x", IngestFFmpeg
		c.URLSmall = "rtsp://192.0.2.1/y"
		c.MaxLength = new(Duration(20 * time.Minute))
	}
	if err := Validate(want).Err(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "preroll.toml")
	if err := Save(path, want); err != nil {
		t.Fatal(err)
	}
	got, _, err := Load(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\n%v", got, want, err)
	}
}

// TestClone: a change of the copy changes nothing of the original.
func TestClone(t *testing.T) {
	s, untouched := filled(), filled()
	c := s.Clone()
	if !reflect.DeepEqual(c, s) {
		t.Errorf("got %+v, want %+v", c, s)
	}
	var change func(v reflect.Value)
	change = func(v reflect.Value) { // in place, so that what is shared changes too
		switch v.Kind() {
		case reflect.Pointer:
			change(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				change(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				change(v.Field(i))
			}
		default:
			fill(v)
		}
	}
	change(reflect.ValueOf(&c).Elem())
	if !reflect.DeepEqual(s, untouched) {
		t.Errorf("the original is now %+v, want %+v", s, untouched)
	}
}
