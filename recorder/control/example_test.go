package control_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/text"
)

// This program asks the recorder with the default settings for a clip, and follows what happens.
func ExampleClient() {
	paths, err := config.PathsOf("")
	if err != nil {
		fmt.Println(err)
		return
	}
	client := control.NewClient(paths.Socket)
	defer client.Close()
	ctx := context.Background()

	id, err := client.Trigger(ctx, "front-door", "doorbell")
	switch {
	case errors.Is(err, control.ErrNotRunning):
		fmt.Println("start Preroll first")
		return
	case errors.Is(err, text.NoSuchCamera.Error()):
		fmt.Println("add the camera in the settings first")
		return
	case err != nil:
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = client.Watch(ctx, func(u control.Update) {
		for _, e := range u.Events {
			if e.ID == id && e.State.Ended() {
				fmt.Println(e.State, e.Why())
				cancel()
			}
		}
	})
	if err != nil && ctx.Err() == nil {
		fmt.Println(err)
	}
}
