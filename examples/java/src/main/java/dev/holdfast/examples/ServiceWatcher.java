package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.Watch;
import io.etcd.jetcd.kv.GetResponse;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.WatchOption;
import io.etcd.jetcd.watch.WatchEvent;
import io.etcd.jetcd.watch.WatchResponse;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Follows who serves what: reads all registrations, then watches from the revision behind the one it read, so that
 * nothing falls between the two.
 *
 * <p>jetcd takes a watch that lost its server to another one. Two things are left to the program. Where the next change
 * has been compacted in the meantime, the watch ends with an error. And where jetcd goes on from is the revision at which
 * the last server answered the watch, though changes before it may not have arrived yet. In both cases this program reads
 * everything anew: a list of services is small. Who needs every change instead closes the watch and begins another
 * behind the last event's revision, as the Go examples do.
 */
public final class ServiceWatcher {
  private final Client client;
  private final ByteSequence prefix;
  private final Map<String, String> services = new ConcurrentSkipListMap<>();

  private ServiceWatcher(Client client, String service) {
    this.client = client;
    this.prefix = Connect.bytes("services/" + service);
  }

  /** Arguments: endpoints, the service's name or the beginning of it. */
  public static void main(String[] args) throws Exception {
    try (Client client = Connect.client(args)) {
      ServiceWatcher watcher = new ServiceWatcher(client, args.length > 1 ? args[1] : "");
      while (true) {
        watcher.follow(watcher.read() + 1);
        System.out.println("Reading everything anew");
      }
    }
  }

  private long read() throws Exception {
    GetOption all = GetOption.builder().isPrefix(true).build();
    GetResponse now = Connect.retry(() -> Connect.await(client.getKVClient().get(prefix, all)));
    services.clear();
    for (KeyValue kv : now.getKvs()) {
      services.put(text(kv.getKey()), text(kv.getValue()));
    }
    System.out.println("Services: " + services);
    return now.getHeader().getRevision();
  }

  /** Returns when the watch cannot go on. */
  private void follow(long revision) throws InterruptedException {
    WatchOption from = WatchOption.builder()
        .isPrefix(true)
        .withRevision(revision)
        .withRequireLeader(true)
        .withCreateNotify(true)
        .build();
    CountDownLatch ended = new CountDownLatch(1);
    AtomicInteger servers = new AtomicInteger(); // that have answered this watch
    Watch.Listener listener = Watch.listener(response -> {
      if (!response.isCreatedNotify()) {
        apply(response);
      } else if (servers.incrementAndGet() == 1) {
        System.out.println("Watching from revision " + revision);
      } else {
        ended.countDown();
      }
    }, error -> ended.countDown(), ended::countDown);
    try (Watch.Watcher watch = client.getWatchClient().watch(prefix, from, listener)) {
      ended.await();
    }
  }

  private void apply(WatchResponse response) {
    for (WatchEvent event : response.getEvents()) {
      String key = text(event.getKeyValue().getKey());
      if (event.getEventType() == WatchEvent.EventType.DELETE) {
        services.remove(key);
        System.out.println("Gone: " + key);
      } else {
        services.put(key, text(event.getKeyValue().getValue()));
        System.out.println("There: " + key + " = " + services.get(key));
      }
    }
  }

  private static String text(ByteSequence bytes) {
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
