/** The server under test, over HTTP. */

const PASSWORD = 'a password of the oracle';
const USERNAMES = ['oracle_0', 'oracle_1', 'oracle_2', 'oracle_3', 'oracle_4', 'Oracle_5'];

/** The initial followees of each account, by index. */
const FOLLOWS = [[1, 2, 3], [0, 2], [0, 1, 3, 4, 5], [2], [], [0, 4]];

export class Server {
  constructor(url) {
    this.url = url;
  }

  /** Sends a request and returns the response, whatever its status. */
  async send(request, token) {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(request),
    });
    return response.json();
  }

  /** Runs an operation that must succeed. */
  async run(query, variables, token) {
    const { data, errors } = await this.send({ query, variables }, token);
    if (errors) throw new Error(`${errors[0].message}, in ${query}`);
    return data;
  }

  /** Creates accounts that follow each other, unless they exist; returns the first one's token. */
  async prepare() {
    const tokens = [];
    for (const username of USERNAMES) tokens.push(await this.#account(username));
    for (const [from, followed] of FOLLOWS.entries()) {
      for (const to of followed) {
        await this.run(
          'mutation ($to: String!) { follow(input: { user: { username: $to } }) { outcome } }',
          { to: USERNAMES[to] },
          tokens[from],
        );
      }
    }
    return tokens[0];
  }

  async #account(username) {
    const account = { username, password: PASSWORD };
    const signUp = 'mutation ($account: SignUpInput!) { result: signUp(input: $account) { token } }';
    const signIn = 'mutation ($account: SignInInput!) { result: signIn(input: $account) { token } }';
    const made = (await this.run(signUp, { account })).result.token;
    return made ?? (await this.run(signIn, { account })).result.token;
  }
}
