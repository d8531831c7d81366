import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.lease.LeaseKeepAliveResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.DeleteOption;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.LeaseOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.options.WatchOption;
import io.etcd.jetcd.watch.WatchEvent;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The usual calls of jetcd against HOST:PORT. Ends with status 0, or with the first thing that differs. */
public class Check {
    static ByteSequence bytes(String s) {
        return ByteSequence.from(s, StandardCharsets.UTF_8);
    }

    static void check(String what, Object got, Object want) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
        System.out.println("ok " + what);
    }

    static <T> T get(CompletableFuture<T> f) throws Exception {
        return f.get(10, TimeUnit.SECONDS);
    }

    static List<String> values(List<KeyValue> kvs) {
        List<String> out = new ArrayList<>();
        for (KeyValue kv : kvs) {
            out.add(kv.getValue().toString());
        }
        return out;
    }

    public static void main(String[] args) throws Exception {
        try (Client client = Client.builder().endpoints("http://" + args[0]).build()) {
            keys(client);
            watch(client);
            lease(client);
            coordination(client, args[0]);
        }
        System.exit(0);
    }

    static void keys(Client client) throws Exception {
        var kv = client.getKVClient();
        get(kv.put(bytes("/java/a"), bytes("1")));
        check("get", values(get(kv.get(bytes("/java/a"))).getKvs()), List.of("1"));
        check("get of nothing", get(kv.get(bytes("/java/none"))).getCount(), 0L);
        var previous = get(kv.put(bytes("/java/a"), bytes("2"), PutOption.builder().withPrevKV().build()));
        check("previous value", previous.getPrevKv().getValue().toString(), "1");
        get(kv.put(bytes("/java/b"), bytes("3")));
        var prefix = GetOption.builder().isPrefix(true).withSortField(GetOption.SortTarget.KEY).withSortOrder(GetOption.SortOrder.DESCEND).build();
        check("prefix", values(get(kv.get(bytes("/java/"), prefix)).getKvs()), List.of("3", "2"));
        check("count", get(kv.get(bytes("/java/"), GetOption.builder().isPrefix(true).withCountOnly(true).build())).getCount(), 2L);
        var txn = get(kv.txn()
            .If(new Cmp(bytes("/java/a"), Cmp.Op.EQUAL, CmpTarget.value(bytes("2"))))
            .Then(Op.put(bytes("/java/c"), bytes("4"), PutOption.DEFAULT), Op.get(bytes("/java/a"), GetOption.DEFAULT))
            .Else(Op.delete(bytes("/java/a"), DeleteOption.DEFAULT))
            .commit());
        check("transaction", txn.isSucceeded() + " " + values(txn.getGetResponses().get(0).getKvs()), "true [2]");
        try {
            get(kv.get(bytes("/java/a"), GetOption.builder().withRevision(99_999_999).build()));
            throw new AssertionError("a future revision was read");
        } catch (ExecutionException e) {
            check("an error", e.getMessage().contains("required revision is a future revision"), true);
        }
        check("delete", get(kv.delete(bytes("/java/c"))).getDeleted(), 1L);
    }

    static void watch(Client client) throws Exception {
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        var option = WatchOption.builder().isPrefix(true).withPrevKV(true).build();
        try (var watcher = client.getWatchClient().watch(bytes("/java/w"), option, response -> {
            for (WatchEvent e : response.getEvents()) {
                events.add(e.getEventType() + " " + e.getKeyValue().getKey());
            }
        })) {
            get(client.getKVClient().put(bytes("/java/w1"), bytes("x")));
            get(client.getKVClient().delete(bytes("/java/w1")));
            check("watch", events.poll(10, TimeUnit.SECONDS), "PUT /java/w1");
            check("watch delete", events.poll(10, TimeUnit.SECONDS), "DELETE /java/w1");
        }
    }

    static void lease(Client client) throws Exception {
        var lease = client.getLeaseClient();
        long id = get(lease.grant(60)).getID();
        get(client.getKVClient().put(bytes("/java/leased"), bytes("x"), PutOption.builder().withLeaseId(id).build()));
        LeaseKeepAliveResponse alive = get(lease.keepAliveOnce(id));
        check("keep-alive", alive.getTTL(), 60L);
        check("time to live", get(lease.timeToLive(id, LeaseOption.builder().withAttachedKeys().build())).getKeys().size(), 1);
        get(lease.revoke(id));
        check("revoked", get(client.getKVClient().get(bytes("/java/leased"))).getCount(), 0L);
    }

    static void coordination(Client client, String endpoint) throws Exception {
        check("members", get(client.getClusterClient().listMember()).getMembers().size(), 1);
        check("status", get(client.getMaintenanceClient().statusMember("http://" + endpoint)).getVersion(), "3.7.1");
        check("hash", get(client.getMaintenanceClient().hashKV("http://" + endpoint, 0)).getHash() != 0, true);
        long id = get(client.getLeaseClient().grant(30)).getID();
        var lock = get(client.getLockClient().lock(bytes("java"), id));
        check("lock", lock.getKey().toString().startsWith("java/"), true);
        get(client.getLockClient().unlock(lock.getKey()));
        var leader = get(client.getElectionClient().campaign(bytes("java-election"), id, bytes("me"))).getLeader();
        check("election", get(client.getElectionClient().leader(bytes("java-election"))).getKv().getValue().toString(), "me");
        get(client.getElectionClient().resign(leader));
        get(client.getKVClient().delete(bytes("/java/"), DeleteOption.builder().isPrefix(true).build()));
    }
}
