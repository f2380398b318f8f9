// A certified OpenID provider (npm oidc-provider) on a loopback port: node provider.mjs MODULES CALLBACK
// Prints its issuer. Anybody signs in with any password; who is called "unverified@..." has no verified mailbox.
const [modules, callback] = process.argv.slice(2);
const { Provider } = await import(`${modules}/oidc-provider/lib/index.js`);
const { createServer } = await import("node:http");

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: "alertengine", client_secret: "provider secret / with : signs", redirect_uris: [callback] }],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unverified") }),
    }),
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
