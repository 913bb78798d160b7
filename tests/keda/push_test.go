package keda

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kedacore/keda/v2/pkg/scalers"
)

func push(t *testing.T, name, address string, metadata map[string]string) (<-chan bool, context.CancelFunc) {
	t.Helper()
	scaler, err := scalers.NewExternalPushScaler(trigger(name, address, metadata, nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	active := make(chan bool)
	go scaler.Run(ctx, active)
	return active, cancel
}

func next(t *testing.T, active <-chan bool, limit time.Duration) bool {
	t.Helper()
	select {
	case state, open := <-active:
		if !open {
			t.Fatal("the stream of states has ended")
		}
		return state
	case <-time.After(limit):
		t.Fatalf("no state within %v", limit)
		return false
	}
}

func TestPushSaysTheStateOnOpen(t *testing.T) {
	server := start(t, "127.0.0.1", 0, "")
	active, _ := push(t, "push-on", server.grpc, map[string]string{"schedule": "- {exactly: 2}"})
	if !next(t, active, within) {
		t.Error("inactive")
	}
	active, _ = push(t, "push-off", server.grpc, map[string]string{"schedule": "- {exactly: 0}"})
	if next(t, active, within) {
		t.Error("active")
	}
}

func TestPushWakesWithTheSchedule(t *testing.T) {
	server := start(t, "127.0.0.1", 0, "")
	// The next full minute, or the one after where that is too near to see the time before it.
	wake := time.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	if time.Until(wake) < 15*time.Second {
		wake = wake.Add(time.Minute)
	}
	rule := fmt.Sprintf("- {start: '%s', end: '%s', min: 1}", wake.Format("15:04"), wake.Add(time.Hour).Format("15:04"))
	active, _ := push(t, "push-wake", server.grpc, map[string]string{"schedule": rule})
	if next(t, active, time.Until(wake)) {
		t.Fatal("active too early")
	}
	if !next(t, active, time.Until(wake)+within) {
		t.Fatal("inactive")
	}
	late := time.Since(wake)
	t.Logf("activated %v after the schedule's start", late)
	if late < 0 || late > 10*time.Second {
		t.Errorf("activated %v after the schedule's start", late)
	}
}

// A stream that ends with an error makes KEDA wait longer each time, up to a minute; one that ends well does not.
func TestPushComesBackAfterRestarts(t *testing.T) {
	port := freePort(t, "127.0.0.1")
	server := start(t, "127.0.0.1", port, "")
	active, _ := push(t, "push-restart", server.grpc, map[string]string{"schedule": "- {exactly: 2}"})
	if !next(t, active, within) {
		t.Fatal("inactive")
	}
	for round := range 3 {
		server.stop(t)
		server = start(t, "127.0.0.1", port, "")
		begun := time.Now()
		if !next(t, active, within) {
			t.Fatal("inactive")
		}
		taken := time.Since(begun)
		t.Logf("restart %d: active again %v after the server was ready", round+1, taken)
		// KEDA waits 2 s, or 4 s where it found the server down; further waits would be doubled ones.
		if taken > 12*time.Second {
			t.Errorf("active again after %v only", taken)
		}
	}
}
