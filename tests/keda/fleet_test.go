package keda

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// fleet is how many triggers sleep.
	fleet = 300
	// grid is how far apart the instants are at which a server asks Prometheus: the default of pollStep.
	grid = 15 * time.Second
	// bar is how late a wake-up may be, and how long two servers may differ.
	bar = 2 * time.Second
)

// wave is a change of all loads, and how soon the streams told of it.
type wave struct {
	name    string
	changed [fleet]time.Time
	// From the poll that could see the sample, and from the moment Prometheus had it, to the stream.
	late, since []time.Duration
	missed      []int
	// The longest that one query took meanwhile.
	slowest time.Duration
}

// Three hundred push triggers on two servers behind a headless Service sleep. They are woken together, one by one, and
// while one server is lost. A wake-up is late by the time from the first poll that begins when Prometheus already
// answers with the sample, to what KEDA's client hands on from the stream.
func TestAFleetOfPushTriggersIsWoken(t *testing.T) {
	f := newSleepers(t)
	f.wait(t, "all asleep at first", 3*time.Minute, false)
	f.refilled(t)
	f.know(false)
	waves := 0
	change := func(name string, awake bool, phase, apart time.Duration) {
		waves++
		f.change(t, name, awake, phase, apart).judge(t)
	}
	for _, phase := range []time.Duration{3 * time.Second, 14500 * time.Millisecond} {
		change(fmt.Sprintf("together, %v after a poll", phase), true, phase, 0)
		change("together, back to sleep", false, phase, 0)
	}
	change("one by one", true, 0, 200*time.Millisecond)
	change("one by one, back to sleep", false, 0, 200*time.Millisecond)
	f.loseOne(t)
	change("together, while a server is lost", true, 3*time.Second, 0)
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("%d triggers, load average %s", fleet, strings.TrimSpace(string(load)))
	f.judge(t, waves)
}

// slack is the limit on a machine that others use too, as in the other suites.
func slack(limit time.Duration) time.Duration {
	if times, err := strconv.ParseFloat(os.Getenv("FORESCALE_SLACK"), 64); err == nil {
		return time.Duration(times * float64(limit))
	}
	return limit
}

// change sets every load, `apart` from each other, so long after an instant of the grid, and follows until the streams
// have told of it and for a while longer.
func (f *sleepers) change(t *testing.T, name string, awake bool, phase, apart time.Duration) *wave {
	t.Helper()
	f.forget()
	w := &wave{name: name}
	f.eye.look(awake)
	time.Sleep(time.Until(time.Now().Truncate(grid).Add(grid + phase)))
	for i := range f.all {
		w.changed[i] = time.Now()
		if apart > 0 {
			f.loads.set(awake, i)
			time.Sleep(apart)
		}
	}
	if apart == 0 {
		f.loads.set(awake, f.numbers...)
	}
	f.wait(t, name, 2*time.Minute, awake)
	time.Sleep(bar)
	f.know(awake)
	// Long enough for another poll of the servers, and awake for one of KEDA's of each.
	time.Sleep(grid)
	if awake {
		time.Sleep(grid)
	}
	w.slowest = f.eye.slowest()
	for i, s := range f.all {
		seen, known := f.eye.seen(i)
		told, found := s.told(awake, w.changed[i])
		if !known || !found {
			w.missed = append(w.missed, i)
			continue
		}
		due := seen.Truncate(grid)
		if due.Before(seen) {
			due = due.Add(grid)
		}
		w.late = append(w.late, max(0, told.Sub(due)))
		w.since = append(w.since, told.Sub(seen))
	}
	return w
}

func (w *wave) judge(t *testing.T) {
	t.Helper()
	spread := func(all []time.Duration) string {
		return fmt.Sprintf("p50 %v, p99 %v, max %v", at(all, 0.5), at(all, 0.99), at(all, 1))
	}
	t.Logf("%s: late by %s; since the sample %s; missed %d; slowest query %v",
		w.name, spread(w.late), spread(w.since), len(w.missed), w.slowest.Round(time.Millisecond))
	if len(w.missed) > 0 {
		t.Errorf("%s: missed %v", w.name, w.missed)
	}
	if worst := at(w.late, 1); worst > slack(bar) {
		t.Errorf("%s: late by %v", w.name, worst)
	}
}

// refilled waits until both servers know all triggers and trust Prometheus to say less: the first values of a source that
// has just started may be a part of the load, and put nobody to sleep.
func (f *sleepers) refilled(t *testing.T) {
	t.Helper()
	for _, server := range f.servers {
		count := func(state string) (int, error) {
			var page struct{ Workloads int }
			text, err := body("http://" + server.http + "/api/v1/fleet?state=" + state)
			if err == nil {
				err = json.Unmarshal([]byte(text), &page)
			}
			return page.Workloads, err
		}
		eventuallyBy(t, "every trigger has refilled", 3*time.Minute, func() error {
			all, err := count("")
			refilling, other := count("refilling")
			if err = errors.Join(err, other); err == nil && (all < fleet || refilling > 0) {
				err = fmt.Errorf("%d of %d are known, %d refill", all, fleet, refilling)
			}
			return err
		})
	}
}

// loseOne ends one server, as Kubernetes does: its address is gone first.
func (f *sleepers) loseOne(t *testing.T) {
	t.Helper()
	f.forget()
	f.service.set("127.0.2.1")
	f.servers[1].stop(t)
}

// judge asserts that no stream said more than the loads did, and that polls beside it never said otherwise.
func (f *sleepers) judge(t *testing.T, changes int) {
	t.Helper()
	flaps := 0
	for i, s := range f.all {
		states := s.states()
		// The state on open, and one for each wave.
		if len(states) != changes+1 {
			flaps++
			t.Errorf("%s: said %v", name(i), states)
		}
	}
	polls := f.polls.read()
	t.Logf("flapping: %d; %d polls of KEDA, %d asked again, %d failed, %d said otherwise than the stream", flaps,
		polls.calls, polls.retried, polls.failed, len(polls.otherwise))
	if polls.calls < fleet || polls.failed > 0 || len(polls.otherwise) > 0 {
		t.Errorf("%d polls, %d failed: %v; otherwise: %v", polls.calls, polls.failed, polls.failures, polls.otherwise)
	}
}
