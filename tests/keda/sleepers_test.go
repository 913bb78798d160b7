package keda

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// sleepers are triggers of which each has a load, a stream and KEDA's polls beside it.
type sleepers struct {
	loads   *loads
	eye     *eye
	all     []*sleeper
	numbers []int
	servers []*forescale
	service *headless
	polls   *polls
}

// loads are what the applications measure.
type loads struct {
	mutex   sync.Mutex
	heights [fleet]float64
}

// eye sees when Prometheus first answers with a changed load.
type eye struct {
	mutex sync.Mutex
	awake bool
	since map[string]time.Time
	// The longest that one look took: what the machine and Prometheus alone cost.
	longest time.Duration
}

// saying is a change of what a stream says.
type saying struct {
	active bool
	at     time.Time
}

type sleeper struct {
	mutex sync.Mutex
	said  []saying
	// What is known to be true of it for long enough; nil while it changes.
	known *bool
}

// polls are what KEDA asks beside the streams.
type polls struct {
	mutex                  sync.Mutex
	calls, retried, failed int
	failures, otherwise    []string
}

func name(i int) string {
	return fmt.Sprintf("push-%03d", i)
}

func newSleepers(t *testing.T) *sleepers {
	t.Helper()
	f := &sleepers{loads: &loads{}, service: &headless{}, polls: &polls{}}
	scrape := fmt.Sprintf("scrape_configs: [{job_name: loads, scrape_interval: 1s, static_configs: [{targets: ['%s']}]}]",
		f.loads.serve(t))
	prometheus := prometheusWith(t, scrape)
	f.eye = watch(t, prometheus)
	port := freePort(t, "127.0.2.1")
	for _, host := range []string{"127.0.2.1", "127.0.2.2"} {
		f.servers = append(f.servers, start(t, host, port, datasource(prometheus)+"\nlog: {level: warn}"))
	}
	f.service.set("127.0.2.1", "127.0.2.2")
	address := fmt.Sprintf("dns://%s/%s:%d", f.service.serve(t), serviceName, port)
	stop, polling := make(chan struct{}), sync.WaitGroup{}
	for i := range fleet {
		s := &sleeper{}
		f.all, f.numbers = append(f.all, s), append(f.numbers, i)
		metadata := map[string]string{
			// A load of nothing for as long as anybody asks, so that there is a history.
			"query": fmt.Sprintf(`sum(load{app="%s"}) or vector(0)`, name(i)), "threshold": "10", "metricName": "orders",
			"minReplicas": "0", "maxReplicas": "10", "historyTimeWindow": "2d",
			// A forecast of the waves before would wake them earlier, or let them sleep later.
			"mode": "reactive",
		}
		active, _ := push(t, name(i), address, metadata)
		go s.listen(active)
		polling.Go(func() { f.polls.run(t, stop, i, s, address, metadata) })
	}
	t.Cleanup(func() {
		close(stop)
		polling.Wait()
	})
	return f
}

// wait until every stream has said so.
func (f *sleepers) wait(t *testing.T, what string, limit time.Duration, awake bool) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		missing := []string{}
		for i, s := range f.all {
			if states := s.states(); len(states) == 0 || states[len(states)-1] != awake {
				missing = append(missing, name(i))
			}
		}
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %d have not said so within %v: %v", what, len(missing), limit, missing)
		}
	}
}

func (f *sleepers) know(awake bool) {
	for _, s := range f.all {
		s.know(&awake)
	}
}

func (f *sleepers) forget() {
	for _, s := range f.all {
		s.know(nil)
	}
}

func (s *sleeper) know(state *bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.known = state
}

func (s *sleeper) knows() *bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.known
}

// listen notes changes: a stream repeats its state, and says it anew when it is opened again.
func (s *sleeper) listen(active <-chan bool) {
	for state := range active {
		s.mutex.Lock()
		if n := len(s.said); n == 0 || s.said[n-1].active != state {
			s.said = append(s.said, saying{state, time.Now()})
		}
		s.mutex.Unlock()
	}
}

func (s *sleeper) states() []bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	states := []bool{}
	for _, saying := range s.said {
		states = append(states, saying.active)
	}
	return states
}

// told is when the stream first said so after that.
func (s *sleeper) told(active bool, after time.Time) (time.Time, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, saying := range s.said {
		if saying.active == active && saying.at.After(after) {
			return saying.at, true
		}
	}
	return time.Time{}, false
}

// run polls one trigger as KEDA does, every 30 s by default.
func (p *polls) run(t *testing.T, stop <-chan struct{}, i int, s *sleeper, address string, metadata map[string]string) {
	wait := time.Duration(i) * 30 * time.Second / fleet
	for {
		select {
		case <-stop:
			return
		case <-time.After(wait):
		}
		wait = 30 * time.Second
		before := s.knows()
		config := trigger(name(i), address, metadata, nil)
		_, active, err := answer(external(t, config), "s2-orders")
		isFirst := err == nil
		if err != nil {
			_, active, err = answer(external(t, config), "s2-orders")
		}
		// Until both servers have met it, and while its state changes, nothing is known of it.
		if after := s.knows(); before != nil && before == after {
			p.note(i, *before, active, isFirst, err)
		}
	}
}

func (p *polls) note(i int, known, active, isFirst bool, err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.calls++
	if !isFirst {
		p.retried++
	}
	switch {
	case err != nil:
		p.failed++
		p.failures = append(p.failures, fmt.Sprintf("%s: %v", name(i), err))
	case active != known:
		p.otherwise = append(p.otherwise, fmt.Sprintf("%s at %s: %v", name(i), time.Now().Format("05.000"), active))
	}
}

func (p *polls) read() *polls {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return &polls{calls: p.calls, retried: p.retried, failed: p.failed, failures: p.failures, otherwise: p.otherwise}
}

// serve is an exporter of all of them.
func (l *loads) serve(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		l.mutex.Lock()
		defer l.mutex.Unlock()
		for i, height := range l.heights {
			_, _ = fmt.Fprintf(w, "load{app=\"%s\"} %v\n", name(i), height)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

// set changes these at once.
func (l *loads) set(awake bool, which ...int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, i := range which {
		l.heights[i] = 0
		if awake {
			l.heights[i] = 25
		}
	}
}

// watch asks Prometheus all the time which loads it knows of.
func watch(t *testing.T, prometheus string) *eye {
	t.Helper()
	e := &eye{since: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			begun := time.Now()
			if present, err := loaded(prometheus); err == nil {
				e.note(present, begun, time.Now())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return e
}

// loaded lists those whose newest sample is a load, and those whose is none.
func loaded(prometheus string) (map[string]bool, error) {
	text, err := body(prometheus + "/api/v1/query?query=" + url.QueryEscape("load"))
	if err != nil {
		return nil, err
	}
	var page struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		return nil, err
	}
	loads := map[string]bool{}
	for _, series := range page.Data.Result {
		loads[series.Metric["app"]] = series.Value[1] != "0"
	}
	return loads, nil
}

// look begins to wait for loads that are there, or gone.
func (e *eye) look(awake bool) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.awake, e.since, e.longest = awake, map[string]time.Time{}, 0
}

func (e *eye) note(loads map[string]bool, begun, at time.Time) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.longest = max(e.longest, at.Sub(begun))
	for app, awake := range loads {
		if _, known := e.since[app]; !known && awake == e.awake {
			e.since[app] = at
		}
	}
}

func (e *eye) seen(i int) (time.Time, bool) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	at, known := e.since[name(i)]
	return at, known
}

func (e *eye) slowest() time.Duration {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.longest
}

// at is the value below which that share of them lies.
func at(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)].Round(time.Millisecond)
}
