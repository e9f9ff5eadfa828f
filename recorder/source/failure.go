package source

import (
	"errors"
	"runtime"

	"github.com/preroll/preroll/recorder/text"
)

// Kind is a reason why a camera does not record, or does not record as it should. Reasons with the same next step for
// the user are one kind.
type Kind string

// The kinds of failure.
const (
	WrongPassword Kind = "wrong password"
	LoginKind     Kind = "login not supported"
	LongPassword  Kind = "password too long"
	WrongPath     Kind = "wrong path"
	Unreachable   Kind = "unreachable"
	UnknownHost   Kind = "unknown host"
	Transport     Kind = "transport refused"
	Busy          Kind = "one viewer only"
	Redirected    Kind = "redirected"
	Certificate   Kind = "no secure connection"
	NoVideo       Kind = "no video"
	Unsupported   Kind = "codec not supported"
	Unreadable    Kind = "not understood"
	Protocol      Kind = "no RTSP"
	BadURL        Kind = "wrong address"
	Missing       Kind = "FFmpeg missing"
	TooOld        Kind = "FFmpeg too old"
	RAMFull       Kind = "RAM disk full"
	RAMGone       Kind = "RAM disk gone"
	NoFolder      Kind = "folder missing"
	Stalled       Kind = "stalled"
	NoKeyframe    Kind = "no keyframe"
	Ended         Kind = "connection ended"
	Unknown       Kind = "failed"
)

// Kinds of advice for the owner of a camera that records. Some of their texts have a place for a value.
const (
	RareKeyframes Kind = "keyframes too rare"
	MotionJPEG    Kind = "MJPEG"
	SoundLeftOut  Kind = "sound left out"
	StampsWrong   Kind = "stamps not believed"
	ReadByFFmpeg  Kind = "read by FFmpeg"
)

// Failure is the reason why a session with a camera ended. Detail is the last message, without passwords.
type Failure struct {
	Kind   Kind
	Detail text.Text
}

// Failure returns a failure of the kind. detail is a string, an error, a text, or nil.
func (k Kind) Failure(detail any) *Failure {
	f := &Failure{Kind: k}
	switch d := detail.(type) {
	case text.Text:
		f.Detail = d
	case text.Message:
		f.Detail = d.With()
	case error:
		f.Detail = text.Of(d)
	case string:
		f.Detail = text.Plain(d)
	}

	return f
}

func (f *Failure) Error() string { return f.Said().String() }

// Said says in plain words what happened, with the detail.
func (f *Failure) Said() text.Text {
	if f.Detail.IsZero() {
		return f.Text()
	}
	return text.Detailed.With(f.Text(), f.Detail)
}

// texts has two texts per kind: what happened, and what to do next.
var texts = map[Kind]struct{ text, hint text.Message }{
	WrongPassword: {text.WrongPassword, text.WrongPasswordHint},
	LoginKind:     {text.LoginKind, text.LoginKindHint},
	LongPassword:  {text.LongPassword, text.LongPasswordHint},
	WrongPath:     {text.WrongPath, text.WrongPathHint},
	Unreachable:   {text.Unreachable, text.UnreachableHint},
	UnknownHost:   {text.UnknownHost, text.UnknownHostHint},
	Transport:     {text.Transport, text.TransportHint},
	Busy:          {text.Busy, text.BusyHint},
	Redirected:    {text.Redirected, text.RedirectedHint},
	Certificate:   {text.Certificate, text.CertificateHint},
	NoVideo:       {text.NoVideo, text.NoVideoHint},
	Unsupported:   {text.Unsupported, text.UseH264},
	Unreadable:    {text.Unreadable, text.UnreadableHint},
	Protocol:      {text.Protocol, text.ProtocolHint},
	BadURL:        {text.BadURL, text.BadURLHint},
	Missing:       {text.FFmpegMissing, FFmpegHint()},
	TooOld:        {text.FFmpegTooOld, text.FFmpegTooOldHint},
	RAMFull:       {text.RAMFull, text.RAMFullHint},
	RAMGone:       {text.RAMGone, text.RAMGoneHint},
	NoFolder:      {text.NoFolder, text.NoFolderHint},
	Stalled:       {text.Stalled, text.StalledHint},
	NoKeyframe:    {text.NoKeyframe, text.KeyframeHint},
	Ended:         {text.CameraEnded, text.CameraEndedHint},
	Unknown:       {text.RecordingEnded, text.TriesAgain},
	RareKeyframes: {text.RareKeyframes, text.KeyframeHint},
	MotionJPEG:    {text.MotionJPEG, text.UseH264},
	SoundLeftOut:  {text.SoundLeftOut, text.SoundLeftOutHint},
	StampsWrong:   {text.StampsWrong, text.StampsWrongHint},
	ReadByFFmpeg:  {text.ReadByFFmpeg, text.ReadByFFmpegHint},
}

// Text says in plain words what happened.
func (f *Failure) Text() text.Text { return f.Kind.Text() }

// Hint says what to do.
func (f *Failure) Hint() text.Text { return f.Kind.Hint() }

// Text says in plain words what happened; some kinds of advice take a value.
func (k Kind) Text(values ...any) text.Text { return texts[k].text.With(values...) }

// Hint says what to do.
func (k Kind) Hint() text.Text { return texts[k].hint.With() }

// Persists reports whether another try in the same way cannot help, so that FFmpeg may be tried instead.
func (k Kind) Persists() bool {
	switch k {
	case Transport, LoginKind, NoVideo, Unsupported, Unreadable:
		return true
	}
	return false
}

// AsFailure returns the failure in err. Any other error becomes a failure of kind [Unknown]; nil becomes a failure of
// kind [Ended].
func AsFailure(err error) *Failure {
	var f *Failure
	if err == nil {
		return Ended.Failure(nil)
	}
	if errors.As(err, &f) {
		return f
	}
	return Unknown.Failure(err)
}

// FFmpegHint says how FFmpeg is installed on this system.
func FFmpegHint() text.Message {
	switch runtime.GOOS {
	case "darwin":
		return text.FFmpegHintMac
	case "windows":
		return text.FFmpegHintWindows
	}
	return text.FFmpegMissingHint
}
