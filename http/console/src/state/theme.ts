// Light or dark: the system's preference until the user chooses, then his choice.
import { useEffect, useState } from 'preact/hooks';

import { load, save } from './storage';

export type Theme = 'light' | 'dark';

const query = matchMedia('(prefers-color-scheme: dark)');
const isTheme = (value: unknown): value is Theme => value === 'light' || value === 'dark';
let chosen = load('theme', isTheme);
const listeners = new Set<() => void>();

function current(): Theme {
  return chosen ?? (query.matches ? 'dark' : 'light');
}

function apply(): void {
  document.documentElement.dataset['theme'] = current();
  for (const listener of listeners) listener();
}

export function startTheme(): void {
  query.addEventListener('change', apply);
  apply();
}

export function toggleTheme(): void {
  chosen = current() === 'dark' ? 'light' : 'dark';
  save('theme', chosen);
  apply();
}

export function useTheme(): Theme {
  const [theme, setTheme] = useState(current);
  useEffect(() => {
    const update = () => setTheme(current());
    listeners.add(update);
    return () => void listeners.delete(update);
  }, []);
  return theme;
}
