/** Minimises a request that shows a difference. */

import { parse, print } from 'graphql';

/** Removes as much as possible while `differs` holds. */
export async function smallest(request, differs) {
  let small = request;
  const attempt = async (changes) => {
    const candidate = { ...small, ...changes };
    if (!(await differs(candidate))) return false;
    small = candidate;
    return true;
  };

  await attempt({ operationName: undefined });
  for (const name of Object.keys(small.variables)) {
    const { [name]: _, ...variables } = small.variables;
    await attempt({ variables });
  }
  const tree = read(small.query);
  const isTree = tree !== undefined && (await attempt({ query: print(tree) }));
  if (isTree) await prune(tree, () => attempt({ query: print(tree) }));
  else await shorten(small.query, (query) => attempt({ query }));
  return small;
}

function read(text) {
  try {
    return parse(text, { noLocation: true });
  } catch {
    return undefined;
  }
}

/** Removes nodes of a tree, topmost first, while the rest `stays` different. */
async function prune(node, stays) {
  for (const [key, value] of Object.entries(node)) {
    if (Array.isArray(value)) {
      for (let at = value.length - 1; at >= 0; at -= 1) {
        const [left] = value.splice(at, 1);
        if (!(await stays())) value.splice(at, 0, left);
      }
      for (const item of value) await prune(item, stays);
    } else if (value !== null && typeof value === 'object') {
      node[key] = undefined;
      if (await isPrintable(stays)) continue;
      node[key] = value;
      await prune(value, stays);
    }
  }
}

/** The printer fails on trees that lack a required node. */
async function isPrintable(stays) {
  try {
    return await stays();
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

/** Removes parts of a text that cannot be parsed or must not be reprinted. */
async function shorten(text, stays) {
  let parts = text.split(/(?<=[\s,]|\ufeff)/);
  for (let size = parts.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < parts.length; ) {
      const shorter = parts.toSpliced(at, size);
      if (await stays(shorter.join(''))) parts = shorter;
      else at += 1;
    }
  }
}
