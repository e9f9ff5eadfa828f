package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net"
	"net/smtp"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
)

// mail measures the mail server alone. Its cameras cannot be reached, so nothing is recorded.
func (b *bench) mail(mails int) error {
	var cams []config.Camera
	for i := range 40 {
		c := config.NewCamera()
		c.ID, c.URL = fmt.Sprintf("cam%d", i), fmt.Sprintf("rtsp://127.0.0.1:1/%d", i)
		cams = append(cams, c)
	}
	s, file := b.settings("mail", cams)
	r, err := b.start("preroll", s, file, nil, "record")
	if err != nil {
		return err
	}
	defer r.stop()
	var st status.Status
	if err := r.wait(b.ctx, 30*time.Second, func(now status.Status) bool {
		st = now
		return now.SMTP.Listen != ""
	}); err != nil {
		return err
	}
	addr, pid := st.SMTP.Listen, r.cmd.Process.Pid
	plain := "Subject: Motion\r\n\r\n" + strings.Repeat("Event Type: Motion detected at the door\r\n", 11)
	picture, err := pictureMail(200 << 10)
	if err != nil {
		return err
	}
	if err := send(addr, "127.0.0.1", "cam0", plain); err != nil {
		return err
	}
	fmt.Println("mail server, one mail a connection, 8 at once, all of one camera")
	for _, k := range []struct {
		name, text string
		mails      int
	}{{"500 B", plain, mails}, {"200 KB picture", picture, mails / 4}} {
		before, began := cpu(pid), time.Now()
		if err := repeatAtOnce(8, k.mails, func(int) error {
			return send(addr, "127.0.0.1", "cam0", k.text)
		}); err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		fmt.Printf("  %-15s %5.0f mails a second, %.2f ms CPU a mail (%d mails of %d B)\n", k.name,
			float64(k.mails)/took, 1000*(cpu(pid)-before)/float64(k.mails), k.mails, len(k.text))
	}
	var times []float64
	for i := 1; i < len(cams); i++ {
		began := time.Now()
		if err := send(addr, "127.0.0.1", cams[i].ID, plain); err != nil {
			return err
		}
		times = append(times, time.Since(began).Seconds())
	}
	fmt.Printf("from connect to the answer that the event is durable, each a new event, s: %s\n", spread(times))

	before := pss(pid)
	var conns []net.Conn
	for i := range 1000 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/50))}}
		c, err := d.DialContext(b.ctx, "tcp", addr)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, "EHLO cam\r\n"); err != nil {
			return err
		}
	}
	buf := make([]byte, 1024)
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Read(buf); err != nil {
			return fmt.Errorf("an idle connection was closed: %w", err)
		}
	}
	time.Sleep(time.Second)
	after := pss(pid)
	fmt.Printf("1,000 idle connections: %.1f MB PSS, %.1f MB without them\n", after, before)
	for _, c := range conns {
		_ = c.Close()
	}
	return nil
}

// repeatAtOnce calls do n times, at most at calls at the same time.
func repeatAtOnce(at, n int, do func(i int) error) error {
	jobs := make(chan int, n)
	for i := range n {
		jobs <- i
	}
	close(jobs)
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			for i := range jobs {
				if err := do(i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// send sends one mail on its own connection.
func send(addr, from, camera, text string) error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return err
	}
	c, err := smtp.NewClient(nc, "preroll")
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := errors.Join(c.Mail("cam@camera"), c.Rcpt(camera+"@preroll")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

// pictureMail returns a mail with a picture of about size bytes.
func pictureMail(size int) (string, error) {
	img := image.NewGray(image.Rect(0, 0, 640, size*178/100/640))
	for i := range img.Pix {
		img.Pix[i] = byte(rand.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 75}); err != nil {
		return "", err
	}
	text := base64.StdEncoding.EncodeToString(b.Bytes())
	var m strings.Builder
	m.WriteString("Subject: Motion\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nEvent Type: Motion\r\n--B\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for len(text) > 76 {
		m.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	m.WriteString(text + "\r\n--B--\r\n")
	return m.String(), nil
}
