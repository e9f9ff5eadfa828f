package events

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/opener"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/event"
)

// file is a file to export and its name at the destination.
type file struct {
	path, name string
	bytes      int64
	time       time.Time
}

// filesOf returns the clips of events, with names that begin with the names of the cameras and never repeat.
func filesOf(env *page.Env, list []event.Event) (files []file) {
	count := map[string]int{}
	for _, e := range list {
		for _, c := range e.Clips {
			// a sidecar from elsewhere may hold any path
			name := event.FileName(e.Title()) + "_" + filepath.Base(c.File)
			if count[name]++; count[name] > 1 {
				ext := filepath.Ext(name)
				name = fmt.Sprintf("%s_%d%s", strings.TrimSuffix(name, ext), count[name], ext)
			}
			files = append(files, file{env.Path(e, c.File), name, c.Bytes, c.End})
		}
	}
	return files
}

// export asks for a destination and copies the clips of events into a folder or a zip file.
func export(env *page.Env, list []event.Event) {
	files := filesOf(env, list)
	if len(files) == 0 {
		dialog.ShowInformation(words.L("Nothing to export"), words.L("These events have no clip."), env.Window)
		return
	}
	var whole int64
	for _, f := range files {
		whole += f.bytes
	}
	var d *dialog.CustomDialog
	folder := widget.NewButtonWithIcon(words.L("Into a folder"), theme.FolderOpenIcon(), func() {
		d.Hide()
		env.ChooseFolder(words.L("Export"), "", func(path string) { copyTo(env, files, whole, path, toFolder) })
	})
	zipped := widget.NewButtonWithIcon(words.L("Into a zip file"), theme.DocumentSaveIcon(), func() {
		d.Hide()
		env.ChooseFile(words.L("Export"), "preroll-"+env.Now().Format("2006-01-02")+".zip", func(path string) {
			copyTo(env, files, whole, path, toZip)
		})
	})
	text := widgets.Wrapped(words.N(len(files), "1 clip", "%d clips") + ", " + words.Size(whole))
	d = dialog.NewCustom(words.L("Export"), words.L("Cancel"),
		container.NewVBox(text, container.NewHBox(folder, zipped)), env.Window)
	d.Show()
}

func copyTo(env *page.Env, files []file, whole int64, to string,
	do func(context.Context, []file, string, func(int64)) error) {
	const steps = 1000
	env.Progress(steps, func(ctx context.Context, step func(int)) error {
		var done int64
		last := 0
		err := do(ctx, files, to, func(n int64) {
			done += n
			if at := int(float64(done) / float64(max(1, whole)) * steps); at != last {
				last = at
				step(at)
			}
		})
		if err == nil {
			env.Do(func() {
				env.ToastWith(words.L("Exported to %s", to), words.L("Show in folder"), func() {
					env.Try(func(context.Context) error { return opener.Reveal(to) }, nil)
				})
			})
		}
		return err
	})
}

// toFolder copies files into a folder. If a name is taken, the copy gets a number. An unfinished copy is removed. If a
// clip is gone, the others are still copied.
func toFolder(ctx context.Context, files []file, dir string, count func(int64)) error {
	var errs []error
	for _, f := range files {
		err := func() error {
			out, err := page.CreateFile(filepath.Join(dir, f.name))
			if err != nil {
				return err
			}
			err = copyFile(ctx, out, f.path, count)
			if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
				_ = os.Remove(out.Name())
			}
			return err
		}()
		if err != nil {
			errs = append(errs, fmt.Errorf("export %s: %w", f.name, err))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}

	return errors.Join(errs...)
}

// toZip copies files into a new zip file. It stores them uncompressed, because video does not shrink.
func toZip(ctx context.Context, files []file, path string, count func(int64)) (err error) {
	out, err := os.Create(path) // the user agreed to replace the file
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	z := zip.NewWriter(out)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store, Modified: f.time})
		if err == nil {
			err = copyFile(ctx, w, f.path, count)
		}
		if err != nil {
			return fmt.Errorf("export %s: %w", f.name, err)
		}
	}

	if err := z.Close(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return out.Sync()
}

// copyFile copies a file piece by piece, so that it can be stopped and counted.
func copyFile(ctx context.Context, to io.Writer, path string, count func(int64)) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	for ctx.Err() == nil {
		n, err := io.CopyN(to, in, 1<<20)
		count(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}

	return context.Cause(ctx)
}
