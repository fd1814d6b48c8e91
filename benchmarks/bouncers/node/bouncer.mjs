// A server with CrowdSec's own bouncer for Node.js in front of it. Arguments: url, key, how many milliseconds between
// pulls (0: it asks about each address instead). Says the port that it has. Whoever asks says its address in X-Address;
// /tell makes the bouncer tell what it did, /health says what it thinks of its connection.
import { CrowdSecBouncer } from "@crowdsec/nodejs-bouncer";
import { createServer } from "node:http";

const [url, bouncerApiToken, every] = process.argv.slice(2);
const streamMode = Number(every) > 0;
const bouncer = new CrowdSecBouncer({
  url,
  bouncerApiToken,
  streamMode,
  fallbackRemediation: "bypass", // of a type that it does not know: throttle and perturb
  cleanIpCacheDuration: 1,
  badIpCacheDuration: 1,
});

async function pull() {
  try {
    await bouncer.refreshDecisions();
  } catch (error) {
    console.error(error.message);
  }
  setTimeout(pull, Number(every));
}

const server = createServer(async (request, response) => {
  if (request.url === "/tell") return response.end(String(await bouncer.pushUsageMetrics("node")));
  if (request.url === "/health") return response.end(JSON.stringify(await bouncer.lapiClient.checkConnectionHealth()));
  const ip = request.headers["x-address"];
  const { status } = await bouncer.getResponse({ ip, ...(await bouncer.getIpRemediation(ip)) });
  response.writeHead(status).end();
});

if (streamMode) await pull();
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
