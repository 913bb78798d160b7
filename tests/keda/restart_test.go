package keda

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// serviceName stands for the headless Service of the chart.
const serviceName = "forescale.test"

// headless is the cluster's DNS for one headless Service: the addresses of its ready pods.
type headless struct {
	mutex sync.Mutex
	pods  []string
	asked int
}

func (h *headless) set(pods ...string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.pods = pods
}

// serve answers A questions on a port of its own and returns its address.
func (h *headless) serve(t *testing.T) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(buffer[:n]) != nil || len(question.Questions) != 1 {
				continue
			}
			if reply, err := h.reply(&question); err == nil {
				_, _ = socket.WriteTo(reply, from)
			}
		}
	}()
	return socket.LocalAddr().String()
}

func (h *headless) reply(question *dnsmessage.Message) ([]byte, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	asked := question.Questions[0]
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true, Authoritative: true},
		Questions: question.Questions}
	known := strings.EqualFold(asked.Name.String(), serviceName+".")
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	if known && asked.Type == dnsmessage.TypeA {
		h.asked++
		for _, pod := range h.pods {
			resource := &dnsmessage.AResource{}
			copy(resource.A[:], net.ParseIP(pod).To4())
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: asked.Name, Type: asked.Type, Class: asked.Class, TTL: 5},
				Body:   resource,
			})
		}
	}
	return reply.Pack()
}

// tally is what one of KEDA's loops has seen.
type tally struct {
	calls, retried, failed int
	lowest                 float64
	failures               []string
}

// loop asks as KEDA's cache does: after an error the scaler is built anew and asked once more, at once. Only the
// second error counts for KEDA.
func loop(t *testing.T, stop <-chan struct{}, address string, metadata, auth map[string]string) *tally {
	seen := &tally{lowest: 1e9}
	for {
		select {
		case <-stop:
			return seen
		case <-time.After(20 * time.Millisecond):
		}
		seen.calls++
		config := trigger("rolling", address, metadata, auth)
		value, active, err := answer(external(t, config), "s2-orders")
		if err != nil {
			seen.retried++
			value, active, err = answer(external(t, config), "s2-orders")
		}
		if err != nil || !active {
			seen.failed++
			seen.failures = append(seen.failures, fmt.Sprintf("%v: active %v: %v", time.Now().Format("05.000"), active, err))
			continue
		}
		seen.lowest = min(seen.lowest, value)
	}
}

// Two pods behind a headless Service are replaced one after the other as a Deployment does it: the new pod is
// ready before the old one is told to end, and every pod has an address of its own.
func TestRollingRestart(t *testing.T) {
	ours := newAuthority(t, "ours")
	// A volume that all pods mount: what one knows the next one need not learn.
	state := filepath.Join(t.TempDir(), "state")
	extra := datasource(prometheus(t)) + "\n" + serverTLS(t, ours, ours) + fmt.Sprintf("\nstate: {path: '%s'}", state)
	cert, key := ours.sign(t, x509.ExtKeyUsageClientAuth)
	auth := map[string]string{"caCert": ours.pem, "tlsClientCert": cert, "tlsClientKey": key}
	port := freePort(t, "127.0.1.1")
	pods := []*forescale{start(t, "127.0.1.1", port, extra), start(t, "127.0.1.2", port, extra)}
	service := &headless{}
	service.set("127.0.1.1", "127.0.1.2")
	address := fmt.Sprintf("dns://%s/%s:%d", service.serve(t), serviceName, port)
	metadata := map[string]string{
		"query": "vector(730)", "threshold": "100", "maxReplicas": "20", "metricName": "orders", "historyTimeWindow": "2d",
	}
	first := external(t, trigger("rolling", address, metadata, auth))
	before, _ := settled(t, first, "s2-orders")
	// Both pods must know the workload: calls take turns.
	for range 20 {
		_, _ = settled(t, first, "s2-orders")
	}

	eventually(t, "the workload is kept", func() error {
		text, err := os.ReadFile(filepath.Join(state, "workloads.json"))
		if err == nil && !strings.Contains(string(text), "rolling") {
			err = fmt.Errorf("not yet: %s", text)
		}
		return err
	})

	stop := make(chan struct{})
	loops, tallies := sync.WaitGroup{}, make([]*tally, 2)
	for i := range tallies {
		loops.Go(func() { tallies[i] = loop(t, stop, address, metadata, auth) })
	}
	names := []string{"127.0.1.1", "127.0.1.2"}
	for i, fresh := range []string{"127.0.1.3", "127.0.1.4"} {
		replacement := start(t, fresh, port, extra)
		old := names[0]
		names = append(slices.Delete(names, 0, 1), fresh)
		service.set(names...)
		pods[i].stop(t)
		t.Logf("%s took over from %s", fresh, old)
		pods = append(pods, replacement)
		// The chart's minReadySeconds.
		time.Sleep(minReady)
	}
	close(stop)
	loops.Wait()

	for i, seen := range tallies {
		t.Logf("loop %d: %d calls, %d asked again, %d failed, lowest answer %v, DNS asked %d times",
			i, seen.calls, seen.retried, seen.failed, seen.lowest, service.asked)
		if seen.failed > 0 {
			t.Errorf("KEDA would have counted: %v", seen.failures)
		}
		if seen.lowest < before {
			t.Errorf("answered %v after %v", seen.lowest, before)
		}
		if seen.retried > 0 {
			t.Errorf("%d calls had to be asked again", seen.retried)
		}
		if seen.calls < 100 {
			t.Errorf("only %d calls", seen.calls)
		}
	}
	// Both new pods serve in the end.
	for _, pod := range pods[2:] {
		eventually(t, pod.grpc+" serves", func() error {
			if value, _, err := answer(first, "s2-orders"); err != nil || value < before {
				return fmt.Errorf("%v, %v", value, err)
			}
			return called(pod)
		})
	}
}

// minReady is how long a pod of the chart is ready before the next one is replaced.
const minReady = 35 * time.Second

// called reports whether the server has answered GetMetrics well.
func called(pod *forescale) error {
	text, err := body("http://" + pod.http + "/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "forescale_grpc_duration_seconds_count") && strings.Contains(line, `"GetMetrics"`) &&
			strings.Contains(line, `code="Ok"`) {
			return nil
		}
	}
	return fmt.Errorf("it has not been asked yet")
}
