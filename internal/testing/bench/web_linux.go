//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/status"
)

// web measures what the web pages cost: switched off, with nobody there, and with viewers that watch one camera live.
func (b *bench) web(length time.Duration) error {
	fmt.Printf("\n== web pages: 1 camera, 1920x1080, 15 frames a second, 4 Mbit/s, %s each\n", length)
	url, _, stop, err := b.camsim()
	if err != nil {
		return err
	}
	defer stop()
	s, file := b.settings("web", same(1, url))
	r, err := b.start("preroll", s, file, nil, "record")
	if err != nil {
		return err
	}
	defer r.stop()
	if err := r.wait(b.ctx, 2*time.Minute, filled(10*time.Second)); err != nil {
		return err
	}
	pid := r.cmd.Process.Pid
	measure := func(what string) float64 {
		before := cpu(pid)
		time.Sleep(length)
		used := (cpu(pid) - before) / length.Seconds() * 100
		fmt.Printf("%-24s %5.2f %% of a core, PSS %.1f MB, %d TCP ports\n", what, used, pss(pid), listeners(pid))
		return used
	}
	time.Sleep(length) // what the start costs is over
	off := measure("off")
	s.Web.Listen = "127.0.0.1:0"
	if err := r.client.Apply(b.ctx, s); err != nil {
		return err
	}
	var st status.Status
	err = r.wait(b.ctx, 10*time.Second, func(is status.Status) bool { st = is; return is.Web.Listen != "" })
	if err != nil {
		return err
	}
	none := measure("on, nobody watches")
	fmt.Printf("ratio of on to off: %.2f\n", none/off)
	c, cookie, err := b.pair(r, "http://"+st.Web.Listen)
	if err != nil {
		return err
	}
	for _, n := range []int{1, 10} {
		ctx, cancel := context.WithCancel(b.ctx)
		var viewers sync.WaitGroup
		for range n {
			viewers.Go(func() {
				req, err := http.NewRequestWithContext(ctx, "GET",
					"http://"+st.Web.Listen+"/camera/"+s.Cameras[0].ID+"/live", nil)
				if err != nil {
					return
				}
				req.AddCookie(cookie)
				resp, err := c.Do(req)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			})
		}
		time.Sleep(2 * time.Second)
		measure(fmt.Sprintf("%d viewers", n))
		cancel()
		viewers.Wait()
	}
	return nil
}

// pair pairs a client with the web pages, and returns its cookie.
func (b *bench) pair(r *recorder, url string) (*http.Client, *http.Cookie, error) {
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	code, err := r.client.PairingCode(b.ctx)
	if err != nil {
		return nil, nil, err
	}
	resp, err := c.PostForm(url+"/pair", map[string][]string{"code": {code.Code}, "name": {"bench"}})
	if err != nil {
		return nil, nil, err
	}
	_ = resp.Body.Close()
	if len(resp.Cookies()) != 1 {
		return nil, nil, fmt.Errorf("pair: %s", resp.Status)
	}
	return c, resp.Cookies()[0], nil
}

// listeners returns the number of TCP ports on which a process listens.
func listeners(pid int) (n int) {
	open := map[string]bool{}
	for _, fd := range globbed(fmt.Sprintf("/proc/%d/fd/*", pid)) {
		if to, err := os.Readlink(fd); err == nil {
			open[filepath.Base(to)] = true
		}
	}
	for _, f := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, f))
		if err != nil {
			continue
		}
		for l := range strings.SplitSeq(string(b), "\n") {
			line := strings.Fields(l)
			if len(line) > 9 && line[3] == "0A" && open["socket:["+line[9]+"]"] {
				n++
			}
		}
	}
	return n
}
