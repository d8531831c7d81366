package dev.holdfast.examples;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.common.exception.ErrorCode;
import io.etcd.jetcd.common.exception.EtcdException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * What the examples share: where the servers are, and what to do when there is no answer.
 *
 * <p>A request to a replicated store has three outcomes: done, refused, and unclear. Unclear means that the leader or
 * the network went away after the request had left. It may have happened. So whatever is repeated here must do no harm
 * when it happens twice; each example says why it does not.
 */
final class Connect {
  /** gRPC's own news, which are none for the readers of these programs. Held, or the level is forgotten with it. */
  private static final Logger GRPC = Logger.getLogger("io.grpc");

  static {
    GRPC.setLevel(Level.WARNING);
  }

  private Connect() {}

  /** How long one attempt may take. An election takes one to two seconds. */
  static final Duration ATTEMPT = Duration.ofSeconds(4);

  /** The addresses, separated by commas: the first argument, or $ENDPOINTS, or a server on this machine. */
  static String[] endpoints(String[] args) {
    String otherwise = System.getenv().getOrDefault("ENDPOINTS", "http://localhost:2379");
    return (args.length > 0 ? args[0] : otherwise).split(",");
  }

  /** A client that knows all members, so that it can go on with another when one dies. */
  static Client client(String[] args) {
    return Client.builder()
        .endpoints(endpoints(args))
        .connectTimeout(Duration.ofSeconds(5))
        .keepaliveTime(Duration.ofSeconds(5))
        .keepaliveTimeout(Duration.ofSeconds(2))
        .build();
  }

  static ByteSequence bytes(String text) {
    return ByteSequence.from(text, StandardCharsets.UTF_8);
  }

  /** Waits for an answer, but not for ever. */
  static <T> T await(CompletableFuture<T> answer) throws Exception {
    try {
      return answer.get(ATTEMPT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof Exception cause ? cause : e;
    } finally {
      answer.cancel(true);
    }
  }

  /** Repeats what does no harm when it happens twice, until its outcome is clear. */
  static <T> T retry(Callable<T> attempt) throws Exception {
    for (long wait = 50; ; wait = Math.min(2 * wait, 1000)) {
      try {
        return attempt.call();
      } catch (Exception e) {
        if (!unclear(e)) {
          throw e;
        }
        Thread.sleep(wait);
      }
    }
  }

  /** Ends a lease, and with it the keys that are bound to it. If that fails, its TTL does it: no reason to fail. */
  static void end(Client client, long lease) throws InterruptedException {
    try {
      await(client.getLeaseClient().revoke(lease));
    } catch (InterruptedException e) {
      throw e;
    } catch (Exception e) {
      // It is gone already, or it will be.
    }
  }

  /** Whether a request that failed like this may have been done all the same. */
  static boolean unclear(Exception e) {
    if (e instanceof TimeoutException) {
      return true;
    }
    if (e instanceof StatusRuntimeException raw) { // some calls do not wrap it
      Status.Code code = raw.getStatus().getCode();
      return code == Status.Code.UNAVAILABLE || code == Status.Code.DEADLINE_EXCEEDED;
    }
    return e instanceof EtcdException known
        && (known.getErrorCode() == ErrorCode.UNAVAILABLE || known.getErrorCode() == ErrorCode.DEADLINE_EXCEEDED);
  }
}
