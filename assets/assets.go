// Package assets holds the program's pictures. `go run ./internal/build/icons` draws them.
package assets

import (
	_ "embed"
	"encoding/binary"
	"runtime"
)

// Icon is the program's icon, a PNG of 512 pixels.
//
//go:embed icon.png
var Icon []byte

//go:embed tray-recording.png
var trayRecording []byte

//go:embed tray-saving.png
var traySaving []byte

//go:embed tray-attention.png
var trayAttention []byte

//go:embed tray-paused.png
var trayPaused []byte

//go:embed tray-idle.png
var trayIdle []byte

// Tray is a state that the tray shows.
type Tray string

// The tray's states.
const (
	Idle      Tray = "idle" // nothing is recorded, and that is as it should be
	Recording Tray = "recording"
	Saving    Tray = "saving"
	Attention Tray = "attention"
	Paused    Tray = "paused" // alarms save nothing, because the user wants it so
)

// Bytes is the state's picture as the platform's tray wants it: PNG of 64 pixels, on Windows inside an ICO.
func (t Tray) Bytes() []byte {
	b := map[Tray][]byte{Idle: trayIdle, Recording: trayRecording, Saving: traySaving, Attention: trayAttention,
		Paused: trayPaused}[t]
	if runtime.GOOS != "windows" {
		return b
	}

	// ICONDIR with one ICONDIRENTRY: 64x64, 32 bits, a PNG at offset 22.
	ico := []byte{0, 0, 1, 0, 1, 0, 64, 64, 0, 0, 1, 0, 32, 0}
	ico = binary.LittleEndian.AppendUint32(ico, uint32(len(b)))
	ico = binary.LittleEndian.AppendUint32(ico, 22)
	return append(ico, b...)
}
