package commands

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// infoOf parses an INFO reply into section titles and fields.
func infoOf(t *testing.T, reply string) (titles []string, fields map[string]string) {
	t.Helper()
	fields = make(map[string]string)
	for line := range strings.SplitSeq(bodyOf(t, reply), "\r\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			titles = append(titles, title)
		} else if name, value, ok := strings.Cut(line, ":"); ok {
			require.NotContains(t, fields, name)
			fields[name] = value
		} else {
			require.Empty(t, line)
		}
	}
	return titles, fields
}

func TestInfoSections(t *testing.T) {
	standard := []string{"Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules", "Errorstats", "Cluster", "Keyspace"}
	all := []string{"Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules", "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace"}
	tests := []struct {
		args   string
		titles []string
	}{
		{"", standard},
		{"default", standard},
		{"all", all},
		{"EVERYTHING clients", all},
		{"keyspace Clients nope", []string{"Clients", "Keyspace"}},
		{"default commandstats latencystats", all},
		{"nope", nil},
	}
	c := newHarness(t).open()
	for _, tt := range tests {
		titles, _ := infoOf(t, c.do(append([]string{"INFO"}, strings.Fields(tt.args)...)...))
		require.Equal(t, tt.titles, titles, tt.args)
	}
	require.Equal(t, "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n", c.do("INFO", "cluster"))
	require.True(t, strings.HasPrefix(c.resp3().do("INFO", "cluster"), "=34\r\ntxt:# Cluster\r\n"))
	require.Equal(t, "=4\r\ntxt:\r\n", c.do("INFO", "nope"))
}

// Redis and Cubby agree on the standard sections' titles.
func TestInfoHasRedissSections(t *testing.T) {
	redis := realRedis(t)
	c := newHarness(t).open()
	theirs, known := infoOf(t, redis("INFO"))
	ours, fields := infoOf(t, c.do("INFO"))
	require.Equal(t, theirs, ours)
	for name := range fields {
		if name != "cubby_version" && name != "appendfsync" {
			require.Contains(t, known, name, "not one of Redis's fields")
		}
	}
}

func TestInfoDescribesTheServer(t *testing.T) {
	h := newHarness(t)
	h.engine.server = ServerInfo{Version: "1.2.3", Port: 6400, ConfigFile: "/etc/cubby/redis.conf", AppendSync: "everysec",
		StoreStats: func() []string { return []string{"journal_bytes:77"} }}
	h.clock.Advance(90_061 * time.Second)
	app, admin := h.open(), h.admin()

	_, got := infoOf(t, app.do("INFO"))
	require.Equal(t, "7.0.15", got["redis_version"])
	require.Equal(t, "1.2.3", got["cubby_version"])
	require.Equal(t, "standalone", got["redis_mode"])
	require.Equal(t, "6400", got["tcp_port"])
	require.Equal(t, "90061", got["uptime_in_seconds"])
	require.Equal(t, "1", got["uptime_in_days"])
	require.Equal(t, "0", got["loading"]) // clients wait for it before their first command
	require.Equal(t, "1", got["aof_enabled"])
	require.Equal(t, "master", got["role"])
	require.Empty(t, got["config_file"])
	require.NotContains(t, got, "journal_bytes")

	_, got = infoOf(t, admin.do("INFO"))
	require.Equal(t, "/etc/cubby/redis.conf", got["config_file"])
	require.Equal(t, "77", got["journal_bytes"])
	require.NotContains(t, got, "db0")
	require.NotEqual(t, "0", got["used_memory"])
}

func TestInfoCountsTheOwnNamespaceOnly(t *testing.T) {
	h := newHarness(t)
	limits := auth.DefaultLimits()
	limits.MaxBytes = [2]int64{3000, 1000}
	a := h.session(storage.ID{Tenant: "t", App: "a"}, limits)
	b := h.session(storage.ID{Tenant: "t", App: "b"}, auth.DefaultLimits())
	h.session(storage.ID{Tenant: "t", App: "b"}, auth.DefaultLimits())
	a.pipeline([]string{"SET", "k1", "vv"}, []string{"SET", "k2", "v", "EX", "60"}, []string{"SELECT", "1"}, []string{"SET", "k3", "v"})
	for _, key := range []string{"b1", "b2", "b3", "b4"} {
		b.do("SET", key, "v")
	}

	_, got := infoOf(t, a.do("INFO", "everything"))
	require.Equal(t, "keys=2,expires=1,avg_ttl=0", got["db0"])
	require.Equal(t, "keys=1,expires=0,avg_ttl=0", got["db1"])
	require.Equal(t, "10", got["used_memory"])
	require.Equal(t, "4000", got["maxmemory"])
	require.Equal(t, "3.91K", got["maxmemory_human"])
	require.Equal(t, "1", got["connected_clients"])
	// What only the whole process knows is kept from apps.
	require.Equal(t, "0", got["total_commands_processed"])
	require.Equal(t, "0", got["total_connections_received"])
	require.Equal(t, "0", got["total_error_replies"])
	for _, name := range []string{"used_memory_rss", "used_cpu_user", "cmdstat_set"} {
		require.NotContains(t, got, name)
	}

	_, got = infoOf(t, b.do("INFO"))
	require.Equal(t, "keys=4,expires=0,avg_ttl=0", got["db0"])
	require.NotContains(t, got, "db1")
	require.Equal(t, "2", got["connected_clients"])
	require.Equal(t, "0", got["maxmemory"])

	_, got = infoOf(t, h.admin().do("INFO", "all"))
	require.Equal(t, "4", got["connected_clients"])
	require.Equal(t, "calls=7,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0", got["cmdstat_set"])
	require.NotEqual(t, "0", got["total_commands_processed"])
}

func TestInfoInATransactionSeesItsWrites(t *testing.T) {
	c := newHarness(t).open()
	replies := c.pipeline([]string{"MULTI"}, []string{"SET", "k", "v"}, []string{"INFO", "keyspace"}, []string{"SELECT", "1"},
		[]string{"SET", "k", "v"}, []string{"INFO", "keyspace"}, []string{"EXEC"})
	exec := parseReply(t, replies[len(replies)-1])
	require.Equal(t, "$# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n", exec.items[1].text)
	require.Equal(t, "$# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\ndb1:keys=1,expires=0,avg_ttl=0\r\n", exec.items[4].text)
}

func TestInfoOfAPrefixTokenTellsNoCounts(t *testing.T) {
	h := newHarness(t)
	app := auth.NewApp(storage.ID{Tenant: "t", App: "a"}, auth.DefaultLimits())
	h.open().do("SET", "k", "v")
	c := h.connect()
	c.s.become(&auth.Principal{App: app, Token: &auth.Token{App: app.ID, Scope: auth.Scope{Prefix: "mine:"}}})
	_, got := infoOf(t, c.do("INFO"))
	require.NotContains(t, got, "db0")
	require.NotContains(t, got, "used_memory")
	require.Equal(t, "7.0.15", got["redis_version"])
}

// Beyond countedKeys the number of TTLs is extrapolated from the first keys.
func TestInfoEstimatesTTLsOfLargeNamespaces(t *testing.T) {
	c := newHarness(t).open()
	plain, timed := []string{"KV.MSET"}, []string{"KV.MSET", "TTL", "60"}
	for i := 0; i < 2*countedKeys; i += 2 {
		plain = append(plain, strconv.Itoa(i), "1")
		timed = append(timed, strconv.Itoa(i+1), "1")
	}
	c.pipeline(plain, timed)
	_, got := infoOf(t, c.do("INFO", "keyspace"))
	// Half of them have a TTL; the first 10000 by name hold 4999 of these.
	require.Equal(t, "keys=20000,expires=9998,avg_ttl=0", got["db0"])
}

func TestTimeIsTheClock(t *testing.T) {
	h := newHarness(t)
	ms := h.clock.Now()
	items := parseReply(t, h.open().do("TIME")).items
	require.Equal(t, []node{{text: "$" + strconv.FormatInt(ms/1000, 10)}, {text: "$" + strconv.FormatInt(ms%1000*1000, 10)}}, items)
}

func TestHumanBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.00K", 916424: "894.95K", 25276514304: "23.54G"} {
		require.Equal(t, want, humanBytes(n))
	}
}
