//go:build linux

package faulttest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Mail is an alarm that was sent or could not be sent: a mail, or a call by HTTP.
type Mail struct {
	Camera   string
	Subject  string // unique
	Call     bool   // it went as a call; 202 counts as 250
	Begun    time.Time
	Answered time.Time // when the answer to the data came; zero if none came
	Code     int       // the code of the answer; 0 if none came
	Err      error     // why the mail was not delivered
}

// Accepted reports whether Preroll promised to save an event for the mail.
func (m Mail) Accepted() bool { return m.Code == 250 }

// Mails is the ledger of all mails and calls.
type Mails struct {
	Address string // of Preroll's mail server
	Calls   string // of its port for calls
	token   string // of a caller
	seed    uint64

	mu   sync.Mutex // guards list and n
	list []Mail
	n    int
}

// All returns the mails that were sent so far.
func (m *Mails) All() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Mail(nil), m.list...)
}

// answerTime is the max time that Send waits for an answer. It is longer than a camera waits.
const answerTime = 40 * time.Second

// Send sends an alarm mail for a camera in a new session, and records the result. If abrupt is true, Send ends the
// connection without QUIT, like many cameras.
func (m *Mails) Send(camera string, abrupt bool) Mail { return m.send(camera, false, abrupt) }

// SendAny is Send for an alarm that may be a call: every third one is.
func (m *Mails) SendAny(camera string, abrupt bool) Mail {
	m.mu.Lock()
	call := m.n%3 == 2
	m.mu.Unlock()
	return m.send(camera, call, abrupt)
}

func (m *Mails) send(camera string, call, abrupt bool) Mail {
	m.mu.Lock()
	m.n++
	mail := Mail{Camera: camera, Subject: fmt.Sprintf("T-%x-%d", m.seed, m.n), Call: call, Begun: time.Now()}
	m.mu.Unlock()
	if call {
		mail.Code, mail.Answered, mail.Err = m.call(mail)
	} else {
		mail.Code, mail.Answered, mail.Err = m.deliver(mail, abrupt)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, mail)
	return mail
}

// caller makes a connection for each call, as a camera does.
var caller = http.Client{Timeout: answerTime, Transport: &http.Transport{DisableKeepAlives: true}}

func (m *Mails) call(mail Mail) (code int, answered time.Time, err error) {
	form := url.Values{"token": {m.token}, "event": {mail.Subject}}
	resp, err := caller.Get("http://" + m.Calls + "/api/trigger/" + mail.Camera + "?" + form.Encode())
	if err != nil {
		return 0, time.Time{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusAccepted {
		return 250, time.Now(), nil
	}
	return resp.StatusCode, time.Now(), nil
}

func (m *Mails) deliver(mail Mail, abrupt bool) (code int, answered time.Time, err error) {
	c, err := dial(m.Address)
	if err != nil {
		return 0, time.Time{}, err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(answerTime))
	r := bufio.NewReader(c)
	answer := func() (int, error) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return 0, err
			}
			var code int
			if _, err := fmt.Sscanf(line, "%3d", &code); err != nil {
				return 0, fmt.Errorf("answer %q: %w", line, err)
			}
			if len(line) > 3 && line[3] == ' ' {
				return code, nil
			}
		}
	}
	for _, step := range []struct {
		say  string
		want int
	}{
		{"", 220},
		{"EHLO camera\r\n", 250},
		{"MAIL FROM:<cam@camera>\r\n", 250},
		{"RCPT TO:<" + mail.Camera + "@preroll>\r\n", 250},
		{"DATA\r\n", 354},
	} {
		if _, err := c.Write([]byte(step.say)); err != nil {
			return 0, time.Time{}, err
		}
		if code, err := answer(); err != nil {
			return 0, time.Time{}, err
		} else if code != step.want {
			return code, time.Time{}, fmt.Errorf("answer to %q: %d", step.say, code)
		}
	}
	if _, err := fmt.Fprintf(c,
		"From: cam@camera\r\nTo: %s@preroll\r\nSubject: %s\r\n\r\nEvent Type: Motion Detected\r\n.\r\n", mail.Camera,
		mail.Subject); err != nil {
		return 0, time.Time{}, err
	}
	if code, err = answer(); err != nil {
		return 0, time.Time{}, err
	}
	answered = time.Now()
	if !abrupt {
		_, _ = c.Write([]byte("QUIT\r\n"))
		_, _ = answer()
	}
	return code, answered, nil
}

func dial(address string) (net.Conn, error) { return net.DialTimeout("tcp", address, answerTime) }
