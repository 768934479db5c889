import { ForeverFrame } from 'forever-frame';
new ForeverFrame('/c/news').show(document.querySelector('#state'));
new ForeverFrame('/c/news').show(document.querySelector<HTMLElement>('p')!);
