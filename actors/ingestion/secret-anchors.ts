/**
 * What a text must contain for a rule of secretlint to find anything in it.
 *
 * Setting secretlint up costs a fraction of a millisecond per call, whatever the size, and its
 * rules read the text some forty times. Almost no file holds anything that even looks like a
 * token. So each rule is represented by the beginning its patterns cannot do without, and only
 * texts with such a beginning are handed on.
 *
 * That this hides nothing is held by two things: the rules are looked up by id, and a rule that is
 * not in the table makes every text a candidate; and a test shows each rule of the preset a token
 * in the open and compares the findings with and without the table. The preset's version is pinned,
 * because a release may widen a pattern without a new id.
 */
const ANCHORS: Readonly<Record<string, string>> = {
  // Only the secret: the rule's patterns for ids are off by default, and `secret-rules.ts` has key ids.
  aws: '(?:SECRET|[sS]ecret)_?(?:ACCESS|[aA]ccess)_?(?:KEY|[kK]ey)',
  privatekey: 'PRIVATE KEY',
  npm: 'x-oauth-basic@|_authToken=|npm_[A-Za-z0-9_]{36}',
  basicauth: '(?:https?|ftps?)://[-a-zA-Z0-9_]{1,256}:[-a-zA-Z0-9_]{1,256}@',
  slack: String.raw`xox[bpaor]-|xapp-|[hH][oO][oO][kK][sS]\.[sS][lL][aA][cC][kK]`,
  sendgrid: String.raw`SG\.\w{1,128}\.`,
  shopify: 'shp(?:pa|ca|at|ss)_',
  stripe: '[sr]k_(?:live|test)_',
  github: 'gh[pousr]_[A-Za-z0-9]|github_pat_',
  gitlab: 'glpat-',
  grafana: 'glc_|glsa_',
  openai: 'T3BlbkFJ',
  anthropic: 'sk-ant-api0',
  groq: 'gsk_[a-zA-Z0-9]{52}',
  huggingface: 'hf_[a-zA-Z]{34}',
  linear: 'lin_api_',
  notion: 'ntn_[0-9]{11}',
  '1password': 'ops_ey',
  'database-connection-string': '(?:[mM][oO][nN][gG][oO][dD][bB](?:[+][sS][rR][vV])?|[mM][yY][sS][qQ][lL][xX]?|[pP][oO][sS][tT][gG][rR][eE][sS](?:[qQ][lL])?)://',
  'hashicorp-vault': String.raw`hv[sbr]\.[A-Za-z0-9_-]{90}`,
  vercel: 'vc[piark]_[A-Za-z0-9]{20}',
  databricks: 'dapi[A-Fa-f0-9]{32}',
  docker: 'dckr_pat_',
  figma: 'figd_',
  cloudflare: 'cf(?:k|ut|at)_[A-Za-z0-9]{40}',
  tailscale: 'tskey-',
};

/** A pattern that matches every text in which one of the rules could find something. */
export function anchorsOf(ruleNames: readonly string[]): RegExp {
  if (ruleNames.some((name) => ANCHORS[name] === undefined)) return /(?:)/;
  return new RegExp(ruleNames.map((name) => ANCHORS[name]).join('|'));
}
